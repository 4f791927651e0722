"""Finding processes over the fleet: now, at a moment, in a stretch of the past; by the page, its parts and the API."""

from __future__ import annotations

import html
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from servers import process_parts, process_search, proctable, states
from servers.history import HOUR
from servers.models import Newest, Server, Service
from servers.wire import Proc
from tests.cast import program_of, signed_in
from tests.servers.samples import proc, store

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOW = timezone.now().replace(microsecond=0)
THIS = NOW.replace(minute=0, second=0)
PAST = THIS - 3 * HOUR
PAGE, PART, API = "/processes/", "/processes/part/", "/api/processes"
HTMX = {"HX-Request": "true"}
HOSTILE = '<img src=x onerror="alert(1)">\u202e'
WEB = [
    proc(10, name="nginx", user="root", cmdline="nginx: master", cpu=0.1, mem_mb=5.0, ppid=1),
    proc(11, name="nginx", user="www-data", cmdline="nginx: worker [a.*b]", cpu=7.0, mem_mb=80.0, ppid=10),
    proc(12, name="redis-server", user="redis", cmdline="redis-server *:6379", cpu=None, mem_mb=300.0),
    proc(13, name=HOSTILE, user="eve", cmdline=HOSTILE, cpu=1.0),
    proc(14, name="sleep", user="www-data", cmdline="sleep 10", cpu=0.0, mem_mb=0.5, ppid=11),
]


@pytest.fixture
def fleet(web1: Server, web2: Server, db1: Server) -> None:
    """web1 runs WEB, web2 one nginx of its own, db1 (of another group) a postgres and an nginx."""
    store(web1, NOW, WEB)
    store(web2, NOW, [proc(20, cpu=50.0, user="app")])
    store(db1, NOW, [proc(30, name="postgres", cmdline="postgres"), proc(31)])
    for server, name, pid in ((web1, "web.service", 10), (db1, "web.service", 31)):
        Service.objects.create(server=server, name=name, active_state="active", main_pid=pid)


def rows(answer: Any) -> list[tuple[str, int]]:
    """The server and the pid of each row, in the page's order."""
    pattern = r'<th scope="row" title="([^"]*)"><a class="clip" href="[^"]*#proc-(\d+)-\d+"'
    return [(name, int(pid)) for name, pid in re.findall(pattern, answer.content.decode())]


def pids(client: Client, q: str, **more: str) -> set[int]:
    """What a search of now finds, by the page and by the API alike."""
    answer = client.get(PAGE, {"q": q, **more})
    assert answer.status_code == 200
    found = client.get(API, {"q": q}).json()
    if not more:
        assert {row["process"]["pid"] for row in found["procs"]} == {pid for _, pid in rows(answer)}
        assert found["total"] == len(found["procs"])
    return {pid for _, pid in rows(answer)}


@pytest.mark.usefixtures("fleet")
class TestNow:
    """What is as last reported."""

    @pytest.mark.parametrize(
        ("q", "expected"),
        [
            ("nginx", {10, 11, 20}), ("NGINX worker", {11}), ("user:www", {11, 14}), ("12", {12}), ("pid:12", {12}),
            ("name:redis", {12}), ("cmd:6379", {12}), ("[a.*b]", {11}), ("a.b", set()), ("*", {11, 12}), ("%", set()),
            ("web.service", {10}), ("service:web", {10, 11, 14}), ("service:web user:www", {11, 14}),
            ("postgres", set()), ("service:nothing", set()), ("onerror", {13}),
            ("service:%", set()), ("service:w_b", set()), ("_", set()), ("pid:0012", {12}), ("pid:1", set()),
            ('cmd:"nginx: w"', {11}),
        ],
    )  # fmt: skip
    def test_finds(self, as_viewer: Client, q: str, expected: set[int]) -> None:
        assert pids(as_viewer, q) == expected

    def test_each_sees_their_own_servers(self, as_admin: Client, as_outsider: Client) -> None:
        assert pids(as_admin, "nginx") == {10, 11, 20, 31}
        assert pids(as_outsider, "nginx") == {31}
        assert pids(as_outsider, "web.service") == {31}

    def test_where_narrows_it(self, as_viewer: Client) -> None:
        assert pids(as_viewer, "nginx", where="web-02") == {20}
        assert pids(as_viewer, "nginx", where="db") == set()

    def test_the_busiest_or_the_largest_first(self, as_viewer: Client) -> None:
        by_cpu = rows(as_viewer.get(PAGE, {"q": "n"}))
        assert [pid for _, pid in by_cpu] == [20, 11, 13, 10]
        by_memory = rows(as_viewer.get(PAGE, {"q": "n", "sort": "mem"}))
        assert [pid for _, pid in by_memory] == [11, 13, 20, 10]

    def test_what_is_hostile_is_shown_as_text(self, as_viewer: Client) -> None:
        for q in ("onerror", '"<img src=x"'):
            page = as_viewer.get(PAGE, {"q": q}).content.decode()
            assert "<img" not in page
            assert "\u202e" not in page
            assert "&lt;img src=x" in page

    def test_says_how_much_and_links_to_the_server(self, as_viewer: Client) -> None:
        page = as_viewer.get(PAGE, {"q": "nginx"}).content.decode()
        assert "3 processes on 2 servers" in page
        assert 'href="/servers/srv-web-01/#proc-11-99"' in page

    def test_a_name_leads_to_the_process(self, as_viewer: Client) -> None:
        page = as_viewer.get(PAGE, {"q": "pid:11"}).content.decode()
        (link,) = re.findall(r'<a href="(/servers/[^"]*/processes/[^"]*)"', page)
        assert link == "/servers/srv-web-01/processes/11-99/"
        assert "nginx: worker" in as_viewer.get(link).content.decode()

    def test_tells_users_threads_and_when_it_started(self, as_viewer: Client, web1: Server) -> None:
        boot = NOW.timestamp() - 7200
        Newest.objects.filter(server=web1).update(facts={"bootTime": boot, "ticksPerSec": 100})
        page = as_viewer.get(PAGE, {"q": "pid:11"}).content.decode()
        assert "<dt>Users</dt><dd><bdi>www-data</bdi></dd>" in page
        assert '<td class="num p5">4</td>' in page
        assert f'<time datetime="{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(boot + 0.99))}" data-age="">' in page

    def test_tells_which_of_the_chosen_servers_lack_it(self, as_viewer: Client, web2: Server) -> None:
        told = "1 server that matches srv-web does not run it:"
        page = as_viewer.get(PAGE, {"q": "redis-server", "where": "srv-web"}).content.decode()
        assert told in page
        assert '<a href="/servers/srv-web-02/">srv-web-02</a>' in page
        for query in ({"q": "redis-server"}, {"q": "nginx", "where": "srv-web"}, {"q": "nowhere", "where": "srv-web"}):
            assert "not run it" not in as_viewer.get(PAGE, query).content.decode()
        Server.objects.filter(pk=web2.pk).update(state=states.SILENT)  # how it is there now is not known
        page = as_viewer.get(PAGE, {"q": "redis-server", "where": "srv-web"}).content.decode()
        assert "not run it" not in page

    def test_only_so_many_are_shown(self, as_viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("servers.process_search_page.SHOWN", 2)
        answer = as_viewer.get(PAGE, {"q": "n"})
        assert [pid for _, pid in rows(answer)] == [20, 11]
        assert "4 processes" in answer.content.decode()
        assert "The first 2 are shown." in answer.content.decode()

    def test_it_ends_where_more_is_found_than_can_be_meant(
        self, as_viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process_search, "MOST_COUNTED", 2)
        page = as_viewer.get(PAGE, {"q": "e"}).content.decode()
        assert "At least 5 processes on 1 server" in page.replace("\n", " ")

    def test_a_silent_server_is_left_out_and_told(self, as_viewer: Client, web2: Server) -> None:
        Server.objects.filter(pk=web2.pk).update(state=states.SILENT)
        answer = as_viewer.get(PAGE, {"q": "nginx"})
        assert {pid for _, pid in rows(answer)} == {10, 11}
        assert "1 silent server was left out" in answer.content.decode()

    def test_old_rows_are_found_too(self, as_viewer: Client, web1: Server) -> None:
        first = first_version(WEB)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE servers_newest SET procs = %s WHERE server_id = %s", [first, web1.pk])
        assert pids(as_viewer, "redis-server") == {12}


def first_version(procs: list[Proc]) -> bytes:
    """As tables were packed at first: a list for each field."""
    columns = [[getattr(one, field) for one in procs] for field in proctable.FIELDS]
    return proctable.COLUMNS + proctable.compressed(msgspec.json.encode(columns))


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_the_palette_leads_to_a_search(as_viewer: Client, headers: dict[str, str]) -> None:
    page = as_viewer.get("/search/", {"q": ' cmd:"a b/c" '}, headers=headers).content.decode()
    assert "Nothing is called" in page
    (link,) = re.findall(r'href="(/processes/\?[^"]*)"', page)
    assert link == "/processes/?q=cmd%3A%22a%20b%2Fc%22"
    assert "/processes/?" not in as_viewer.get("/search/", {"q": " "}, headers=headers).content.decode()


@pytest.mark.usefixtures("fleet")
class TestWhatIsWrong:
    """Nobody is left with an empty page and no reason."""

    def test_without_words_there_are_examples(self, as_viewer: Client) -> None:
        for address in (PAGE, f"{PAGE}?q=", f"{PAGE}?q=++&where=web"):
            page = as_viewer.get(address)
            assert (page.status_code, "What to look for" in page.content.decode()) == (200, True)
            assert rows(page) == []

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ({"q": "nmae:x"}, "There is no nmae: here"), ({"q": "pid:x"}, "pid:4711"), ({"q": "x" * 201}, "200"),
            ({"q": "x", "when": "at"}, "Choose a date and time."), ({"q": "x", "at": "noon"}, "is expected here"),
            ({"q": "x", "at": "2999-01-01T00:00:00Z"}, "in the future"),
            ({"q": "x", "at": "2001-01-01"}, "kept for 30"), ({"q": "x", "when": "between"}, "Choose a date and time."),
            ({"q": "x", "from": NOW.isoformat(), "to": PAST.isoformat()}, "not after the start"),
            ({"q": "x", "from": (NOW - 8 * 24 * HOUR).isoformat()}, "At most 7 days"),
            ({"q": "service:x", "when": "hour"}, "known only now"),
        ],
    )  # fmt: skip
    def test_it_is_told(self, as_viewer: Client, query: dict[str, str], told: str) -> None:
        page = as_viewer.get(PAGE, query)
        assert page.status_code == 400
        assert told in html.unescape(page.content.decode())
        assert 'aria-invalid="true"' in page.content.decode()

    def test_nothing_found_names_what_was_looked_for(self, as_viewer: Client) -> None:
        page = html.unescape(as_viewer.get(PAGE, {"q": "<b>none"}).content.decode())
        assert "No process matches <b><b>none</b>." in page

    @pytest.mark.parametrize(("q", "at"), [("nmae:x", ""), ("service:x", PAST.isoformat()), ("x" * 256, "")])
    def test_the_api_names_the_field(self, as_viewer: Client, q: str, at: str) -> None:
        answer = as_viewer.get(API, {"q": q, "at": at})
        assert (answer.status_code, set(answer.json()["fields"])) == (400, {"q"})

    def test_a_busy_hub_says_so(self, as_viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process_parts, "WAIT_SEC", 0)
        with process_parts.place(), process_parts.place():
            page = as_viewer.get(PAGE, {"q": "x"})
            assert (page.status_code, "busy with other searches" in page.content.decode()) == (503, True)
            assert as_viewer.get(API, {"q": "x"}).status_code == 503
            part = as_viewer.get(PART, {"q": "x", "when": "hour", "after": "0"}, headers=HTMX).content.decode()
            assert "delay:3s" in part
            assert "after=0&amp;" in part or "after=0&" in part
        assert as_viewer.get(PAGE, {"q": "x"}).status_code == 200

    def test_only_so_many_searches_a_minute(self, as_viewer: Client, viewer: User, settings: LazySettings) -> None:
        settings.RATE_LIMITS = {**settings.RATE_LIMITS, "searches": (1, 3600)}
        assert as_viewer.get(PAGE, {"q": "x"}).status_code == 200
        page = as_viewer.get(PAGE, {"q": "x"})
        assert (page.status_code, "Too many requests" in page.content.decode()) == (429, True)
        answer = program_of(viewer).get(API, {"q": "x"})
        assert (answer.status_code, "Retry-After" in answer) == (429, True)


@pytest.mark.django_db(transaction=True)
def test_searches_at_once_each_find_their_own_and_none_is_turned_away(fleet: None, admin: User, outsider: User) -> None:
    def search(number: int) -> tuple[int, set[int]]:
        try:
            answer = signed_in((admin, outsider)[number % 2]).get(PAGE, {"q": ("nginx", "postgres")[number // 2 % 2]})
            return answer.status_code, {pid for _, pid in rows(answer)}
        finally:
            connection.close()

    with ThreadPoolExecutor(process_parts.SEARCHES * 2) as pool:
        found = list(pool.map(search, range(8)))
    assert found == [(200, {10, 11, 20, 31}), (200, {31}), (200, {30}), (200, {30})] * 2


class TestAccess:
    """Who may search."""

    @pytest.mark.parametrize("path", [PAGE, PART])
    def test_only_who_has_a_role(self, client: Client, nobody: User, path: str) -> None:
        assert client.get(path)["Location"].startswith("/login/")
        assert signed_in(nobody).get(path).status_code == 403

    @pytest.mark.parametrize("path", [PAGE, PART])
    def test_only_get(self, as_viewer: Client, path: str) -> None:
        assert as_viewer.post(path).status_code == 405
