"""POST /api/agents/{id}/metrics, by each of its two doors."""

from __future__ import annotations

import gzip
import json

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from servers import proctable, states
from servers.models import Newest, Server
from tests.servers.doors import Door, door  # noqa: F401
from tests.servers.reports import MINIMAL, post, post_gzip, proc, report, zipped

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(door: Door, agent_token: str) -> Client:  # noqa: F811
    """Web1's agent."""
    return door(agent_token)


def newest(server: Server) -> Newest:
    return Newest.objects.get(server=server)


def test_the_minimal_report_is_taken_exactly_as_it_is(agent: Client, web1: Server) -> None:
    answer = post(agent, MINIMAL)
    assert answer.status_code == 202
    assert answer.json().keys() == {"serverTime", "intervalSec", "base"}
    assert answer.json()["base"] == 1_726_147_200
    assert answer.json()["intervalSec"] == settings.REPORT_INTERVAL_SEC
    assert answer.json()["serverTime"].endswith("Z")
    web1.refresh_from_db()
    assert web1.state == states.UP
    row = newest(web1)
    assert (row.cpu, row.mem_used_mb, row.mem_total_mb, row.uptime_sec) == (8.9, 2048, 8192, 123456)
    assert (row.procs_total, row.top_name, row.top_cpu, row.seq) == (1, "redis-server", 1.2, 1)


def test_gzip_is_taken(agent: Client, web1: Server) -> None:
    assert post_gzip(agent, zipped(report(hostname="web-one"))).status_code == 202
    web1.refresh_from_db()
    assert web1.hostname == "web-one"


def test_a_report_costs_two_statements_through_django_and_its_transaction(
    agent: Client,
    web1: Server,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        post(agent, report(ts=1))  # its table is remembered
    looked_up = type(agent) is Client  # the lane remembers whose token it is
    # The token; savepoint, lock, release; what it writes goes past Django's cursor.
    with django_assert_num_queries(3 + looked_up):
        post(agent, report(ts=2, procs=[proc(pid) for pid in range(500)]))


def test_after_a_report_the_next_may_tell_only_what_changed(
    agent: Client,
    web1: Server,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    first = report(ts=1, procs=[proc(pid) for pid in range(500)])
    with django_capture_on_commit_callbacks(execute=True):
        base = post(agent, first).json()["base"]
    del first["procs"]
    moved = {"moved": [1], "cpu": [55.5], "memMB": [78], "status": ["running"], "threads": [None]}
    told = first | {
        "ts": 2,
        "base": base,
        "changes": {"count": 500, "gone": [0], "new": [499], "procs": [proc(900)], **moved},
    }
    with django_assert_num_queries(3 + (type(agent) is Client)):
        answer = post(agent, told)
    assert (answer.status_code, answer.json()["base"]) == (202, 2)
    row = newest(web1)
    table = proctable.unpack(row.procs)
    assert [one.pid for one in table] == [*range(1, 500), 900]
    assert (row.procs_total, row.top_cpu, table[1].cpu, table[0].cpu) == (500, 55.5, 55.5, 1.2)


def test_changes_of_what_the_hub_does_not_know_are_409(agent: Client, web1: Server) -> None:
    told = report(ts=2, base=1, changes={"count": 0})
    del told["procs"]
    answer = post(agent, told)
    assert answer.status_code == 409
    assert list(answer.json()["fields"]) == ["base"]
    assert post(agent, report(ts=2)).status_code == 202


def test_changes_that_do_not_fit_are_400_and_each_field_is_named(agent: Client, web1: Server) -> None:
    base = post(agent, report(ts=1, procs=[proc()])).json()["base"]
    told = report(ts=2, base=base, changes={"count": 7, "gone": [3], "moved": [-1], "cpu": ["much"]})
    del told["procs"]
    answer = post(agent, told)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"changes.moved[0]", "changes.cpu[0]"}
    told["changes"] = {"count": 7, "gone": [3], "moved": [0]}
    answer = post(agent, told)
    assert answer.status_code == 400
    each = {"cpu", "memMB", "status", "threads", "gone", "count"}
    assert set(answer.json()["fields"]) == {f"changes.{name}" for name in each}
    assert newest(web1).seq == 1


def test_without_a_token_is_401(door: Door, web1: Server) -> None:  # noqa: F811
    answer = post(door(""), MINIMAL)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("X-Agent-Token")
    assert answer.json() == {"error": "This agent token is not valid."}


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t[:12] + "x" * 31, lambda t: t + "x", lambda t: "é"])
def test_a_wrong_token_is_401(door: Door, change: object, agent_token: str, web1: Server) -> None:  # noqa: F811
    assert post(door(change(agent_token)), MINIMAL).status_code == 401  # type: ignore[operator]
    assert not Newest.objects.exists()


def test_another_servers_token_is_403(door: Door, web1: Server, other_agent_token: str) -> None:  # noqa: F811
    answer = post(door(other_agent_token), MINIMAL)
    assert answer.status_code == 403
    assert "another server" in answer.json()["error"]
    assert not Newest.objects.exists()


def test_a_body_of_another_server_is_400(agent: Client, web1: Server, db1: Server) -> None:
    answer = post(agent, report(agentId="srv-db-01"))
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["agentId"]
    assert not Newest.objects.exists()


@pytest.mark.parametrize(
    ("networks", "status"), [(["127.0.0.0/8"], 202), (["10.0.0.0/8"], 403), (["10.0.0.0/8", "127.0.0.1/32"], 202)]
)
def test_only_allowed_networks_may_report(agent: Client, web1: Server, networks: list[str], status: int) -> None:
    Server.objects.filter(pk=web1.pk).update(allowed_networks=networks)
    assert post(agent, MINIMAL).status_code == status


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post(agent: Client, method: str, web1: Server) -> None:
    answer = getattr(agent, method)("/api/agents/srv-web-01/metrics")
    assert answer.status_code == 405
    assert "error" in answer.json()


def test_every_wrong_field_is_named(agent: Client, web1: Server) -> None:
    wrong = report(
        ts="now",
        procs=[proc(), proc(pid=-1, cpu="much"), 3, {"name": "a", "pid": 1, "cpu": None, "status": "running"}],
        load={"cpu": True, "netRxBps": -1},
        uptimeSec=None,
        services=[{"name": "", "activeState": "active", "since": "yesterday", "verbs": ["start", 1], "can": "stop"}],
        cpuCount=1.5,
    )
    answer = post(agent, wrong)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {
        "ts",
        "procs[1].pid",
        "procs[1].cpu",
        "procs[2]",
        "procs[3].memMB",
        "load.cpu",
        "load.netRxBps",
        "services[0].name",
        "services[0].since",
        "services[0].can",
        "services[0].verbs[1]",
        "cpuCount",
    }
    assert answer.json()["fields"]["procs[1].pid"] == "expected an integer >= 0 and <= 2,147,483,647, got -1"
    assert answer.json()["fields"]["procs[3].memMB"] == "is required"
    assert not Newest.objects.exists()


@pytest.mark.parametrize("field", ["agentId", "ts", "procs", "load"])
def test_a_missing_field_is_named(agent: Client, web1: Server, field: str) -> None:
    body = report()
    del body[field]
    answer = post(agent, body)
    said = "is required, or base and changes are" if field == "procs" else "is required"
    assert (answer.status_code, answer.json()["fields"]) == (400, {field: said})


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, '"12"', "true", "-0.1"])
def test_a_number_that_is_none_is_refused(agent: Client, web1: Server, bad: str) -> None:
    answer = post(agent, MINIMAL.replace("8.9", bad))
    assert answer.status_code == 400
    assert not Newest.objects.exists()


@pytest.mark.parametrize("tiny", ["1e-50", "5e-324", "1e-400", "0"])
def test_a_number_too_small_to_be_kept_is_none(agent: Client, web1: Server, tiny: str) -> None:
    assert post(agent, MINIMAL.replace("8.9", tiny)).status_code == 202
    assert newest(web1).cpu == 0


@pytest.mark.parametrize("body", [" ", "[]", "null", '"x"', "{", "[" * 100_000, b"\xff\xfe", MINIMAL + "x"])
def test_what_is_no_report_is_refused(agent: Client, web1: Server, body: str | bytes) -> None:
    answer = post(agent, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_milliseconds_clock_is_named(agent: Client, web1: Server) -> None:
    assert "ts" in post(agent, report(ts=1726147200000)).json()["fields"]


def test_500_processes_are_taken_and_501_are_not(agent: Client, web1: Server) -> None:
    assert post(agent, report(procs=[proc(pid) for pid in range(500)], procsTotal=1873)).status_code == 202
    assert newest(web1).procs_total == 1873
    answer = post(agent, report(ts=2, procs=[proc(pid) for pid in range(501)]))
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["procs"])


def test_unknown_fields_are_ignored(agent: Client, web1: Server) -> None:
    body = report(colour="red", procs=[proc(nice=19)], load={"cpu": 1, "gpu": {"busy": [1, 2]}})
    assert post(agent, body).status_code == 202


def test_too_large_is_413(agent: Client, web1: Server) -> None:
    assert post(agent, " " * (settings.REPORT_MAX_BYTES + 1)).status_code == 413


def test_a_gzip_bomb_is_413(agent: Client, web1: Server) -> None:
    bomb = gzip.compress(b" " * 200_000_000, 9)
    assert len(bomb) < 250_000
    assert post_gzip(agent, bomb).status_code == 413


@pytest.mark.parametrize("cut", [slice(0, 20), slice(0, -1), slice(5, None)])
def test_broken_gzip_is_400(agent: Client, web1: Server, cut: slice) -> None:
    assert post_gzip(agent, zipped(report())[cut]).status_code == 400


def test_gzip_with_something_behind_is_400(agent: Client, web1: Server) -> None:
    assert post_gzip(agent, zipped(report()) * 2).status_code == 400


def test_another_encoding_or_type_is_415(agent: Client, web1: Server) -> None:
    assert post(agent, MINIMAL, headers={"Content-Encoding": "br"}).status_code == 415
    answer = agent.post("/api/agents/srv-web-01/metrics", MINIMAL, content_type="text/plain")
    assert answer.status_code == 415


def test_the_same_report_twice_is_stored_once_and_answered_the_same(agent: Client, web1: Server) -> None:
    first, again = post(agent, MINIMAL), post(agent, MINIMAL)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json().keys() == again.json().keys()
    assert newest(web1).seq == 1


def test_a_server_that_was_removed_is_401(agent: Client, web1: Server) -> None:
    web1.delete()
    assert post(agent, MINIMAL).status_code == 401


def test_json_escapes_reach_the_table_as_they_are(agent: Client, web1: Server) -> None:
    assert post(agent, json.dumps(report(hostname="wéb-\U0001f600"))).status_code == 202
    web1.refresh_from_db()
    assert web1.hostname == "wéb-\U0001f600"
