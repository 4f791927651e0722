"""GET /api/servers, /api/servers/{id}, …/processes, …/history and /api/processes."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from servers import ingest, process_search_api
from servers.models import Server
from servers.wire import Report
from tests.cast import program_of, signed_in
from tests.servers.reports import proc, report

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECOND = timedelta(seconds=1)
ONE = ["/api/servers/srv-web-01", "/api/servers/srv-web-01/processes", "/api/servers/srv-web-01/history"]
ONE += ["/api/servers/srv-web-01/explain", "/api/servers/srv-web-01/states"]
ALL = ["/api/servers", "/api/processes", "/api/processes/seen", *ONE]


def store(server: Server, at: datetime = NOW, **facts: object) -> None:
    ingest.store(server, msgspec.convert(report(ts=at.timestamp(), **facts), Report), at)


@pytest.fixture
def reporting(web1: Server, web2: Server, db1: Server) -> None:
    store(
        web1, procs=[proc(1, name="nginx", user="www-data"), proc(2, name="Redis-Server", user="redis")], kernel="6.1"
    )
    store(db1, procs=[proc(3, name="postgres", user="postgres"), proc(4, name="redis-cli", user="root")])


@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize("path", ALL)
class TestAccess:
    """Who may ask."""

    def test_nobody_signed_in_is_401(self, client: Client, path: str) -> None:
        answer = client.get(path)
        assert (answer.status_code, "error" in answer.json()) == (401, True)

    def test_without_a_role_is_403(self, nobody: User, path: str) -> None:
        assert signed_in(nobody).get(path).status_code == 403

    def test_an_agents_token_is_401(self, agent: Client, path: str) -> None:
        assert agent.get(path).status_code == 401

    def test_a_viewers_session_and_token_may(self, as_viewer: Client, viewer: User, path: str) -> None:
        assert as_viewer.get(path).status_code == 200
        assert program_of(viewer).get(path).status_code == 200

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_only_get(self, viewer: User, path: str, method: str) -> None:
        assert getattr(program_of(viewer), method)(path).status_code == 405


@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize("path", ONE)
def test_a_server_out_of_scope_is_as_one_that_is_not(as_outsider: Client, as_viewer: Client, path: str) -> None:
    hidden, absent = as_outsider.get(path), as_viewer.get(path.replace("srv-web-01", "srv-web-99"))
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.json() == absent.json()


@pytest.mark.usefixtures("reporting")
def test_the_fleet(as_viewer: Client, as_admin: Client) -> None:
    fleet = as_viewer.get("/api/servers").json()
    assert (fleet["total"], fleet["states"]) == (2, {"up": 1, "waiting": 1})
    web1, web2 = fleet["servers"]
    assert (web1["agentId"], web1["group"], web1["procsTotal"], web1["readings"]["cpu"]) == (
        "srv-web-01",
        "web",
        2,
        8.9,
    )
    assert web1["readings"]["memTotalMB"] == 8192
    assert (web2["state"], web2["sampledAt"], web2["procsTotal"]) == ("waiting", None, None)
    assert as_admin.get("/api/servers").json()["total"] == 3


def test_the_fleet_is_read_in_one_query(
    as_admin: Client, web1: Server, web2: Server, db1: Server, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for server in (web1, web2, db1):
        store(server)
    with django_assert_num_queries(4):  # session, user, role, servers
        as_admin.get("/api/servers")


@pytest.mark.usefixtures("reporting")
def test_one_server(as_viewer: Client) -> None:
    server = as_viewer.get(ONE[0]).json()
    assert (server["hostname"], server["state"], server["facts"]["kernel"]) == ("srv-web-01", "up", "6.1")
    assert [len(server["history"][metric]) for metric in ("cpu", "mem")] == [30, 30]
    assert pytest.approx(8.9) in server["history"]["cpu"]


def test_one_server_with_its_services(as_viewer: Client, web1: Server) -> None:
    listed = [{"name": "nginx.service", "activeState": "active", "mainPid": 7, "verbs": ["restart"], "memMB": 1.5}]
    listed[0]["can"] = ["start", "restart"]
    store(web1, services=listed)
    (service,) = as_viewer.get(ONE[0]).json()["services"]
    assert listed[0].items() <= service.items()


@pytest.mark.usefixtures("reporting")
def test_a_server_that_never_reported(as_viewer: Client) -> None:
    server = as_viewer.get("/api/servers/srv-web-02").json()
    assert (server["state"], server["facts"], server["readings"], server["receivedAt"]) == ("waiting", {}, {}, None)
    answer = as_viewer.get("/api/servers/srv-web-02/processes")
    assert (answer.status_code, "no process table" in answer.json()["error"]) == (404, True)
    assert as_viewer.get("/api/servers/srv-web-02/history").json()["points"] == []


@pytest.mark.usefixtures("reporting")
def test_processes_now(as_viewer: Client) -> None:
    table = as_viewer.get(ONE[1]).json()
    assert table.keys() == {"at", "sampledAt", "total", "procs"}
    assert (table["total"], [p["name"] for p in table["procs"]]) == (2, ["nginx", "Redis-Server"])
    assert datetime.fromisoformat(table["sampledAt"]) == NOW
    assert table["procs"][0] == {
        "name": "nginx", "pid": 1, "cpu": 1.2, "memMB": 78.0, "status": "running", "user": "www-data", "cmdline": "",
        "ppid": None, "threads": None, "startTicks": None,
    }  # fmt: skip


def test_processes_at_a_past_moment(as_viewer: Client, web1: Server) -> None:
    for ago in (600, 590, 0):
        store(web1, NOW - ago * SECOND, procs=[proc(pid=ago)])

    def pids(at: datetime) -> list[int] | int:
        answer = as_viewer.get(ONE[1], {"at": at.isoformat()})
        return [p["pid"] for p in answer.json()["procs"]] if answer.status_code == 200 else answer.status_code

    assert pids(NOW - 591 * SECOND) == [600]
    assert pids(NOW - 590 * SECOND) == [590]
    assert pids(NOW - 560 * SECOND) == [590]
    assert pids(NOW - 300 * SECOND) == 404  # nothing was heard then
    assert pids(NOW - 700 * SECOND) == 404


def test_a_moment_in_any_zone(as_viewer: Client, web1: Server) -> None:
    store(web1, datetime.fromisoformat("2026-01-31T12:00:00+00:00"))
    for at in ("2026-01-31T12:00:05Z", "2026-01-31T14:00:05%2B02:00", "2026-01-31T14:00:05+02:00"):
        assert as_viewer.get(f"{ONE[1]}?at={at}").json()["sampledAt"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("path", "query", "wrong"),
    [
        (ONE[1], "at=yesterday", {"at"}),
        (ONE[1], "at=2026-01-31T12:00:00", {"at"}),
        (ONE[1], "at=0001-01-01T00:00:00%2B14:00", {"at"}),
        (ONE[1], "at=0001-01-01T00:00:10Z", {"at"}),
        (ONE[2], "to=0001-01-01T00:00:10Z", {"to"}),
        (ONE[1], "at=2999-01-01T00:00:00Z", {"at"}),
        (ONE[2], "metric=beauty", {"metric"}),
        (ONE[2], "points=1", {"points"}),
        (ONE[2], "points=many&metric=x&from=a&to=b", {"points", "metric", "from", "to"}),
        (ONE[2], "points=99999999999999999999", {"points"}),
        (ONE[2], "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", {"from"}),
        ("/api/processes", "at=now", {"at"}),
        ("/api/processes", "name=" + "x" * 256 + "&user=" + "y" * 256, {"name", "user"}),
    ],
)
def test_wrong_parameters_are_named(as_viewer: Client, web1: Server, path: str, query: str, wrong: set[str]) -> None:
    answer = as_viewer.get(f"{path}?{query}")
    assert (answer.status_code, set(answer.json()["fields"])) == (400, wrong)


def test_history(as_viewer: Client, web1: Server) -> None:
    start = NOW.replace(second=0, microsecond=0) - timedelta(minutes=10)
    for seconds, cpu in [(0, 10), (30, 20), (120, 5)]:
        store(web1, start + seconds * SECOND, load={"cpu": cpu})
    query = {"metric": "cpu", "from": start.isoformat(), "to": NOW.isoformat(), "points": "13"}
    answer = as_viewer.get(ONE[2], query).json()
    assert (answer["metric"], answer["step"], len(answer["points"])) == ("cpu", 60, 2)
    assert answer["points"][0] == {"t": start.isoformat().replace("+00:00", "Z"), "avg": 15, "min": 10, "max": 20}


@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {1, 2, 3, 4}),
        ({"name": "REDIS"}, {2, 4}),
        ({"name": "redis", "user": "root"}, {4}),
        ({"user": "www-data"}, {1}),
        ({"user": "www"}, set()),
        ({"name": "%"}, set()),
        ({"name": "redis", "at": (NOW + SECOND / 2).isoformat()}, {2, 4}),
        ({"name": "redis", "at": (NOW - SECOND).isoformat()}, set()),
    ],
)
def test_processes_of_all_servers(as_admin: Client, query: dict[str, str], expected: set[int]) -> None:
    found = as_admin.get("/api/processes", query).json()
    assert {row["process"]["pid"] for row in found["procs"]} == expected
    assert found["total"] == len(expected)


@pytest.mark.usefixtures("reporting")
def test_servers_of_whose_processes_nothing_is_known_then_are_counted(as_admin: Client) -> None:
    for at, untold in ((NOW + SECOND / 2, Server.objects.count() - 2), (NOW - 3600 * SECOND, Server.objects.count())):
        found = as_admin.get("/api/processes", {"name": "redis", "at": at.isoformat()}).json()
        assert found["untold"] == untold


@pytest.mark.usefixtures("reporting")
def test_processes_of_all_servers_are_those_in_scope(as_viewer: Client) -> None:
    found = as_viewer.get("/api/processes", {"name": "redis"}).json()
    (row,) = found["procs"]
    assert (row["agentId"], row["hostname"], row["process"]["pid"]) == ("srv-web-01", "srv-web-01", 2)


def test_only_so_many_are_told_and_all_are_counted(
    as_viewer: Client, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_search_api, "MOST_FOUND", 3)
    store(web1, procs=[proc(pid) for pid in range(5)])
    found = as_viewer.get("/api/processes").json()
    assert (found["total"], len(found["procs"])) == (5, 3)
