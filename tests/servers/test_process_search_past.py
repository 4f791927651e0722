"""Finding processes in the past: at a moment, at any time in a stretch, and part by part."""

from __future__ import annotations

import html
import re
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from pmonitor.rows import fetched_as_bytes
from servers import compaction, history, partitions, process_lives, process_parts, process_search_api
from servers.history import HOUR
from servers.models import Server
from servers.process_query import parse
from tests.servers.samples import proc, store
from tests.servers.test_process_search import API, HTMX, MINUTE, PAGE, PART, PAST, THIS, rows

pytestmark = pytest.mark.django_db
SEEN = "/api/processes/seen"


@pytest.fixture
def past(web1: Server, web2: Server, db1: Server) -> None:
    """From PAST on, each minute until 20 past the hour, then an hour later again; what is of PAST is compacted."""
    for server in (web1, db1):
        for minute in range(20):
            nginx = proc(11, name="nginx", cpu=float(minute), mem_mb=100.0 - minute)
            job = [proc(100, name="backup-job", cmdline="backup --full", cpu=99.0)] if 5 <= minute < 8 else []
            store(server, PAST + minute * MINUTE, [nginx, *job])
        store(server, PAST + HOUR, [proc(11, name="nginx", cpu=30.0, mem_mb=1.0), proc(12, name="late")])
    partitions.make(history.LEVELS[history.CHUNKS], PAST, PAST)
    for server in (web1, db1):
        assert compaction.compact_hour(server.pk, PAST, THIS) == 20


@pytest.mark.usefixtures("past")
class TestMoment:
    """How it was."""

    def test_finds_what_was_there_then(self, as_viewer: Client) -> None:
        at = (PAST + 6 * MINUTE).isoformat()
        answer = as_viewer.get(PAGE, {"q": "backup", "at": at})
        page = answer.content.decode()
        assert rows(answer) == [("srv-web-01", 100)]
        assert f"/servers/srv-web-01/?at={written(PAST + 6 * MINUTE)}#proc-100-99" in page
        assert "1 has no process table of that moment" in page
        later = as_viewer.get(PAGE, {"q": "backup", "at": (PAST + 9 * MINUTE).isoformat()})
        assert (rows(later), "No process matches" in later.content.decode()) == ([], True)
        found = as_viewer.get(API, {"q": "backup", "at": at}).json()
        assert [(row["agentId"], row["process"]["pid"]) for row in found["procs"]] == [("srv-web-01", 100)]

    def test_without_history_of_that_moment_it_says_so(self, as_viewer: Client) -> None:
        page = as_viewer.get(PAGE, {"q": "nginx", "at": (PAST - 5 * HOUR).isoformat()}).content.decode()
        assert "There is no process table of that moment." in page


@pytest.mark.usefixtures("past")
class TestStretch:
    """At any time from a moment to another."""

    @pytest.mark.parametrize(
        ("start", "end", "first", "last", "cpu", "mem"),
        [
            (0, 120, 0, 60, 30.0, 100.0), (0, 60, 0, 19, 19.0, 100.0), (3, 10, 3, 9, 9.0, 97.0),
            (30, 61, 60, 60, 30.0, 1.0), (60, 61, 60, 60, 30.0, 1.0),
        ],
    )  # fmt: skip
    def test_a_life_is_told_from_chunks_and_raw_rows(
        self, web1: Server, start: int, end: int, first: int, last: int, cpu: float, mem: float
    ) -> None:
        (life,) = process_lives.lives(web1.pk, parse("name:nginx"), PAST + start * MINUTE, PAST + end * MINUTE)
        assert (life.first, life.last) == (PAST + first * MINUTE, PAST + last * MINUTE)
        assert (life.cpu, life.mem_mb) == (cpu, mem)
        assert life.cpu_at == PAST + int(60 if cpu == 30 else cpu) * MINUTE
        assert life.mem_at == PAST + int(60 if mem == 1 else 100 - mem) * MINUTE

    @pytest.mark.parametrize("q", ["backup", "cmd:--full", "pid:100", "100", "user:www backup"])
    def test_what_came_and_went_is_found(self, web1: Server, q: str) -> None:
        (life,) = process_lives.lives(web1.pk, parse(q), PAST, THIS)
        assert (life.pid, life.first, life.last) == (100, PAST + 5 * MINUTE, PAST + 7 * MINUTE)
        assert process_lives.lives(web1.pk, parse(q), PAST + 8 * MINUTE, THIS) == []

    def test_a_chunk_without_the_words_is_not_read_whole(self, web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with connection.cursor() as cursor:
            cursor.execute(process_lives.HEADS, [web1.pk, PAST - HOUR, THIS, THIS, PAST])
            (_hour, head), *_more = cursor.fetchall()
            cursor.execute(process_lives.CHUNK, [web1.pk, PAST])
            ((whole,),) = cursor.fetchall()
        assert len(head) < len(whole)
        assert bytes(whole).startswith(bytes(head))
        monkeypatch.setattr(process_lives, "CHUNK", "not asked")
        assert process_lives.lives(web1.pk, parse("nothing-like-it"), PAST, THIS) == []

    def test_the_page_tells_each_process_and_its_moments(self, as_viewer: Client) -> None:
        query = {"q": "name:nginx", "from": PAST.isoformat(), "to": THIS.isoformat()}
        first, last = follow(as_viewer, query)
        assert (rows(first), rows(last)) == ([("srv-web-01", 11)], [])
        assert "1 process on 1 server" in last.content.decode()
        assert f"?at={written(PAST + HOUR)}#proc-11-99" in first.content.decode()
        assert f'href="/servers/srv-web-01/processes/11-99/?at={written(PAST + HOUR)}"' in first.content.decode()
        assert "2 servers were looked through." in last.content.decode()
        assert rows(as_viewer.get(PAGE, query | {"from": (THIS - 30 * MINUTE).isoformat()})) == []


@pytest.mark.usefixtures("past")
def test_what_comes_late_is_found_before_and_after_it_is_compacted(web1: Server) -> None:
    late = [proc(77, name="late-job", cpu=55.0), proc(11, name="nginx", cpu=88.0, mem_mb=500.0)]
    assert store(web1, PAST + 30 * MINUTE, late, THIS) == "late"
    for _compacted in (False, True):
        (job,) = process_lives.lives(web1.pk, parse("late-job"), PAST, THIS)
        assert (job.pid, job.first, job.cpu) == (77, PAST + 30 * MINUTE, 55.0)
        (nginx,) = process_lives.lives(web1.pk, parse("name:nginx"), PAST, THIS)
        assert (nginx.first, nginx.last) == (PAST, PAST + HOUR)
        assert (nginx.cpu, nginx.cpu_at) == (88.0, PAST + 30 * MINUTE)
        assert (nginx.mem_mb, nginx.mem_at) == (500.0, PAST + 30 * MINUTE)
        compaction.compact_hour(web1.pk, PAST, THIS)


@pytest.mark.usefixtures("past")
def test_a_chunk_that_is_written_anew_in_between_is_read_as_it_is_then(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(query: str, parameters: list[Any]) -> Any:
        if query == process_lives.CHUNK:  # its rows get other numbers
            store(web1, PAST + MINUTE / 2, [proc(5, name="early"), proc(11, name="nginx")], THIS)
            assert compaction.compact_hour(web1.pk, PAST, THIS) == 1
        return fetched_as_bytes(query, parameters)

    monkeypatch.setattr(process_lives, "fetched_as_bytes", meanwhile)
    (life,) = process_lives.lives(web1.pk, parse("backup"), PAST, THIS)
    assert (life.name, life.pid, life.first, life.cpu) == ("backup-job", 100, PAST + 5 * MINUTE, 99.0)


@pytest.mark.usefixtures("past")
class TestApi:
    """GET /api/processes/seen."""

    def test_answers_go_on_until_all_servers_are_done(self, as_admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_search_api, "PART_SEC", -1)
        query = {"q": "backup", "from": PAST.isoformat(), "to": THIS.isoformat()}
        answers = [as_admin.get(SEEN, query).json()]
        while answers[-1]["next"] is not None:
            answers.append(as_admin.get(SEEN, query | {"after": answers[-1]["next"]}).json())
        assert [(answer["done"], answer["of"]) for answer in answers] == [(1, 3), (2, 3), (3, 3)]
        found = [one for answer in answers for one in answer["procs"]]
        assert [one["agentId"] for one in found] == ["srv-web-01", "srv-db-01"]
        assert found[0] == {
            "agentId": "srv-web-01", "hostname": "srv-web-01", "name": "backup-job", "pid": 100, "startTicks": 99,
            "user": "www", "cmdline": "backup --full", "firstSeen": written(PAST + 5 * MINUTE),
            "lastSeen": written(PAST + 7 * MINUTE), "cpu": 99.0, "cpuAt": written(PAST + 5 * MINUTE),
            "memMB": 12.5, "memAt": written(PAST + 5 * MINUTE),
        }  # fmt: skip

    def test_each_sees_their_own_servers(self, as_outsider: Client) -> None:
        found = as_outsider.get(SEEN, {"name": "backup", "from": PAST.isoformat()}).json()
        assert (found["of"], found["next"], [one["agentId"] for one in found["procs"]]) == (1, None, ["srv-db-01"])
        assert as_outsider.get(SEEN, {"name": "backup", "user": "root", "from": PAST.isoformat()}).json()["procs"] == []

    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            ({"from": "soon", "to": "later", "after": "x"}, {"from", "to", "after"}),
            ({"from": THIS.isoformat(), "to": PAST.isoformat()}, {"from"}),
            ({"from": (THIS - 8 * 24 * HOUR).isoformat()}, {"from"}),
            ({"from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z"}, {"from"}),
            ({"to": "2999-01-01T00:00:00Z"}, {"to"}), ({"q": "service:x"}, {"q"}), ({"q": "nmae:x"}, {"q"}),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named(self, as_viewer: Client, query: dict[str, str], wrong: set[str]) -> None:
        answer = as_viewer.get(SEEN, query)
        assert (answer.status_code, set(answer.json()["fields"])) == (400, wrong)

    def test_a_busy_hub_says_so(self, as_viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_parts, "WAIT_SEC", 0)
        with process_parts.place(), process_parts.place():
            answer = as_viewer.get(SEEN, {"q": "x"})
        assert (answer.status_code, answer["Retry-After"]) == (503, "3")


def follow(client: Client, query: dict[str, str]) -> list[Any]:
    """The page and all the parts it asks for."""
    answers = [client.get(PAGE, query)]
    while found := re.search(r'id="searching" hx-get="([^"]+)"', answers[-1].content.decode()):
        answers.append(client.get(html.unescape(found[1]), headers=HTMX))
        assert len(answers) < 10
    return answers


def written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.usefixtures("past")
class TestParts:
    """A search of the past goes on part by part."""

    @pytest.fixture(autouse=True)
    def _a_server_a_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_parts, "PART_SEC", -1)
        monkeypatch.setattr(process_parts, "AT_ONCE", 1)

    @pytest.mark.parametrize(
        "when", [{"at": (PAST + 6 * MINUTE).isoformat()}, {"from": PAST.isoformat(), "to": THIS.isoformat()}]
    )
    def test_all_parts_together_are_the_whole(self, as_admin: Client, when: dict[str, str]) -> None:
        answers = follow(as_admin, {"q": "backup", **when})
        assert len(answers) == 3
        assert "1 of 3 servers" in answers[0].content.decode()
        assert [row for answer in answers for row in rows(answer)] == [("srv-web-01", 100), ("srv-db-01", 100)]
        assert "2 processes on 2 servers" in answers[-1].content.decode()
        assert 'hx-swap-oob="beforeend:#found-rows"' in answers[-1].content.decode()

    def test_rows_end_where_a_page_is_full_and_counting_goes_on(
        self, as_admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_parts, "SHOWN", 1)
        answers = follow(as_admin, {"q": "backup", "from": PAST.isoformat(), "to": THIS.isoformat()})
        assert sum(len(rows(answer)) for answer in answers) == 1
        assert "2 processes on 2 servers" in answers[-1].content.decode()
        assert "The first 1 are shown." in answers[-1].content.decode()

    def test_a_stopped_search_does_nothing_more_and_can_go_on(
        self, as_admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = {"q": "backup", "from": PAST.isoformat(), "to": THIS.isoformat()}
        first = as_admin.get(PAGE, query).content.decode()
        (stop,) = re.findall(r'id="search-stop"[^>]* hx-get="([^"]+)"', first)
        with monkeypatch.context() as patched:
            patched.setattr(process_parts, "part", None)  # would fail
            stopped = as_admin.get(html.unescape(stop), headers=HTMX).content.decode()
        assert "Stopped after 1 of 3 servers." in stopped
        assert 'hx-trigger="load' not in stopped
        (on,) = re.findall(r'id="search-on"[^>]* hx-get="([^"]+)"', stopped)
        assert "2 of 3 servers" in as_admin.get(html.unescape(on), headers=HTMX).content.decode()

    def test_no_server_is_looked_through_after_a_stop(self, as_admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        looked, lives = [], process_lives.lives

        def counted(server_id: int, *rest: Any) -> Any:
            looked.append(server_id)
            return lives(server_id, *rest)

        monkeypatch.setattr(process_lives, "lives", counted)
        query = {"q": "backup", "from": PAST.isoformat(), "to": THIS.isoformat()}
        page = as_admin.get(PAGE, query).content.decode()
        (stop,) = re.findall(r'id="search-stop"[^>]* hx-get="([^"]+)"', page)
        as_admin.get(html.unescape(stop), headers=HTMX)
        assert len(looked) == 1

    def test_each_part_is_of_who_asks_for_it(self, as_admin: Client, as_outsider: Client) -> None:
        query = {"q": "backup", "from": PAST.isoformat(), "to": THIS.isoformat()}
        (onward,) = re.findall(r'id="searching" hx-get="([^"]+)"', as_admin.get(PAGE, query).content.decode())
        theirs = as_outsider.get(html.unescape(onward), headers=HTMX)
        assert {name for name, _ in rows(theirs)} == {"srv-db-01"}

    @pytest.mark.parametrize("query", [{}, {"q": "x"}, {"q": "nmae:x", "when": "hour"}, {"q": "x", "when": "hour"}])
    def test_alone_it_leads_to_the_page(self, as_viewer: Client, query: dict[str, str]) -> None:
        answer = as_viewer.get(PART, query)
        assert (answer.status_code, answer["Location"].startswith("../?")) == (302, True)

    def test_places_that_make_no_sense_are_the_beginning_or_the_end(self, as_viewer: Client) -> None:
        query = {"q": "nginx", "from": PAST.isoformat(), "to": THIS.isoformat()}
        for more in ({"after": "-1"}, {"after": "9" * 15, "found": "x"}, {"shown": "9" * 15}, {"after": "²"}):
            assert as_viewer.get(PART, query | more, headers=HTMX).status_code == 200
