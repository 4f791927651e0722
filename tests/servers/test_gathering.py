"""Reports that are gathered into one commit: each ends as it would alone, and none for a neighbour's sake."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
import requests
from django.db import OperationalError, connection
from django.utils import timezone
from psycopg import sql

from pmonitor import live, problems
from servers import gathering, history, ingest, proctable
from servers.gathering import Gatherer
from servers.ingest import Incoming, Stored
from servers.models import Newest, Server, Service
from servers.wire import Report
from tests.actions.web_process import web_process
from tests.cast import enrolled
from tests.servers.reports import proc, report, service

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
SECOND = timedelta(seconds=1)
Ends = list[Stored | BaseException]


@pytest.fixture
def gatherer() -> Iterator[Gatherer]:
    made = Gatherer()
    yield made
    made.close()


def incoming(server: Server, ts: float = 1, at: float = 0, **facts: Any) -> Incoming:
    """A report with that ts, received so many seconds after NOW."""
    body = report(agentId=server.agent_id, ts=ts, **facts)
    return Incoming(server, msgspec.convert(body, Report), NOW + at * SECOND, "10.0.0.1")


def together(gatherer: Gatherer, *reports: Incoming) -> Ends:
    """How each ended that came at the same time as the others."""

    async def all_at_once() -> Ends:
        return await asyncio.gather(*map(gatherer.store, reports), return_exceptions=True)

    return asyncio.run(all_at_once())


def outcomes(ends: Ends) -> list[str]:
    return [end.outcome if isinstance(end, Stored) else type(end).__name__ for end in ends]


def commits(table: str = history.HOST_READINGS) -> list[int]:
    """How many of the table's rows each transaction wrote, about servers that are there."""
    mine = list(Server.objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {table} WHERE server_id = ANY(%s) GROUP BY xmin::text ORDER BY 1",  # noqa: S608
            [mine],
        )
        return [count for (count,) in cursor.fetchall()]


def test_what_comes_together_is_one_commit(gatherer: Gatherer) -> None:
    fleet = [enrolled(f"srv-{number}")[0] for number in range(30)]
    for ts in (1, 2):
        assert outcomes(together(gatherer, *(incoming(one, ts, ts, cpu=4) for one in fleet))) == ["stored"] * 30
    assert commits() == commits(history.PROCESSES) == [30, 30]
    assert set(Newest.objects.values_list("seq", "cpu", "sampled_at")) == {(2, 8.9, NOW + 2 * SECOND)}
    assert set(Server.objects.values_list("state", flat=True)) == {"up"}


def test_each_server_has_its_own_values(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    first = incoming(web1, load={"cpu": 1}, procs=[proc(7)], hostname="one", kernel="6.1", services=[service("a")])
    second = incoming(db1, load={"cpu": 2}, procs=[proc(8), proc(9, name="b", cpu=50)], hostname="two")
    assert outcomes(together(gatherer, first, second)) == ["stored"] * 2
    one, two = Newest.objects.get(server=web1), Newest.objects.get(server=db1)
    assert (one.cpu, one.facts["kernel"], one.procs_total, one.top_name) == (1, "6.1", 1, "redis-server")
    assert (two.cpu, "kernel" in two.facts, two.procs_total, two.top_name) == (2, False, 2, "b")
    assert [p.pid for p in proctable.unpack(two.procs)] == [8, 9]
    assert list(Service.objects.values_list("server", "name")) == [(web1.pk, "a")]
    assert dict(Server.objects.values_list("pk", "hostname")) == {web1.pk: "one", db1.pk: "two"}


def test_reports_of_one_server_are_stored_in_their_order(gatherer: Gatherer, web1: Server) -> None:
    together(gatherer, incoming(web1, 1, services=[service(mainPid=1)]))
    ends = together(
        gatherer,
        incoming(web1, 2, 10, services=[service(mainPid=2)], load={"cpu": 2}, hostname="b"),
        incoming(web1, 3, 20, services=[service(mainPid=3)], load={"cpu": 3}, hostname="c"),
        incoming(web1, 4, 21, sentAt=9, load={"cpu": 4}, hostname="a"),  # of 5 s before
    )
    assert outcomes(ends) == ["stored", "stored", "late"]
    row = Newest.objects.get()
    assert (row.seq, row.cpu, row.recent_ts, row.services_at) == (4, 3, [4, 3, 2, 1], NOW + 20 * SECOND)
    assert (row.sampled_at, row.received_at) == (NOW + 20 * SECOND, NOW + 21 * SECOND)
    assert Service.objects.get().main_pid == 3
    web1.refresh_from_db()
    assert web1.hostname == "c"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT at, facts->>'mainPid' FROM {history.EVENTS} ORDER BY at")  # noqa: S608
        assert len(cursor.fetchall()) == 2


def test_the_same_report_twice_in_one_batch_is_stored_once(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    same = incoming(web1)
    assert sorted(outcomes(together(gatherer, same, incoming(db1), same))) == ["duplicate", "stored", "stored"]
    assert outcomes(together(gatherer, same)) == ["duplicate"]
    assert Newest.objects.get(server=web1).seq == 1
    assert commits() == [2]


def test_one_that_cannot_be_stored_fails_alone(
    gatherer: Gatherer, web1: Server, web2: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(server: Server, *_rest: object) -> None:
        if server == web2:
            Newest.objects.filter(server=web2).update(top_name="x" * 1000)

    monkeypatch.setattr(ingest, "LISTENERS", [listen])
    ends = together(gatherer, *(incoming(one, leases=[]) for one in (web1, web2, db1)))
    assert outcomes(ends) == ["stored", "DataError", "stored"]
    assert set(Newest.objects.values_list("server", flat=True)) == {web1.pk, db1.pk}
    assert sum(commits()) == 2


def test_a_server_that_is_removed_meanwhile_fails_alone(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    removed = Server(pk=db1.pk, agent_id=db1.agent_id, token_hash=db1.token_hash, allowed_networks=[])
    db1.delete()
    assert outcomes(together(gatherer, incoming(removed), incoming(web1))) == ["Gone", "stored"]


def test_one_of_another_time_makes_its_partition(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    far = incoming(web1)._replace(received_at=NOW + timedelta(days=70))
    assert outcomes(together(gatherer, far, incoming(db1))) == ["stored"] * 2
    assert Newest.objects.get(server=web1).sampled_at == NOW + timedelta(days=70)


def test_an_agent_that_leaves_takes_no_other_with_it(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    async def one_leaves() -> Stored:
        leaving = asyncio.ensure_future(gatherer.store(incoming(web1)))
        staying = asyncio.ensure_future(gatherer.store(incoming(db1)))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(one_leaves()).outcome == "stored"
    assert Newest.objects.count() == 2


def test_one_announcement_tells_of_all(
    gatherer: Gatherer, web1: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[str]] = []
    monkeypatch.setattr(live, "_send", sent.append)
    together(gatherer, incoming(web1), incoming(db1, services=[]))
    topics = {f"{kind}:{server.pk}" for kind in ("row", "server") for server in (web1, db1)}
    assert [set(one) for one in sent] == [topics | {"fleet:all", f"services:{db1.pk}"}]


def test_more_than_can_wait_are_told_to_come_again(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_WAITING", 2)
    ends = together(gatherer, *(incoming(web1, ts) for ts in range(4)))
    assert outcomes(ends) == ["stored", "stored", "Problem", "Problem"]
    assert isinstance(ends[3], problems.Problem)
    assert (ends[3].status_code, ends[3].headers) == (503, {"Retry-After": "5"})


# The database goes


class Database:
    """The test's own, out of reach for all but the test's own connection when it is asked for that."""

    def __init__(self) -> None:
        self.name = str(connection.settings_dict["NAME"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.mine = cursor.fetchone()[0]

    def cut(self) -> None:
        """End the others' connections."""
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                [self.name, self.mine],
            )

    def open(self, is_open: bool) -> None:
        """Let others connect, or not any more."""
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            server.execute(statement.format(sql.Identifier(self.name), sql.Literal(is_open)))


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    pooled: Any = connection
    monkeypatch.setattr(pooled.pool, "timeout", 0.2)
    made = Database()
    yield made
    made.open(True)


def test_a_connection_that_was_cut_costs_no_report(gatherer: Gatherer, web1: Server, database: Database) -> None:
    together(gatherer, incoming(web1, 1))
    database.cut()
    assert outcomes(together(gatherer, incoming(web1, 2, 1))) == ["stored"]
    assert Newest.objects.get().seq == 2


def test_while_the_database_is_away_reports_are_to_come_again(
    gatherer: Gatherer, web1: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LOOK_EVERY_SEC", 0.05)
    asyncio.run(away_and_back(gatherer, web1, database))
    assert Newest.objects.get().recent_ts == [2, 1]
    assert commits() == [1, 1]


async def away_and_back(gatherer: Gatherer, web1: Server, database: Database) -> None:
    await gatherer.store(incoming(web1, 1))
    database.open(False)
    database.cut()
    with pytest.raises(problems.Problem) as refused:
        await gatherer.store(incoming(web1, 2, 1))
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "5"})
    with pytest.raises(problems.Problem):
        gatherer.check()  # the next is not even read
    database.open(True)
    deadline = time.monotonic() + 20
    while gatherer.away and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert (await gatherer.store(incoming(web1, 2, 1))).outcome == "stored"


def test_what_was_committed_though_the_answer_was_lost_is_known_again(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = ingest.store_all
    calls: list[int] = []

    def lost(reports: list[Incoming]) -> list[ingest.End]:
        ends = stored(reports)
        calls.append(len(reports))
        if len(calls) == 2:
            raise OperationalError("the connection is lost")
        return ends

    monkeypatch.setattr(ingest, "store_all", lost)
    together(gatherer, incoming(web1, 1))
    assert outcomes(together(gatherer, incoming(web1, 2, 1))) == ["duplicate"]
    assert Newest.objects.get().seq == 2


@pytest.mark.e2e
def test_a_stopping_process_answers_every_report_it_took() -> None:
    fleet = [enrolled(f"srv-{number}") for number in range(8)]
    with web_process() as web, ThreadPoolExecutor(len(fleet)) as agents:
        reporting = [agents.submit(report_until_gone, web.url, server, token) for server, token in fleet]
        deadline = time.monotonic() + 20
        while Newest.objects.count() < len(fleet) and time.monotonic() < deadline:
            time.sleep(0.05)
        web.stop()
        taken = [agent.result() for agent in reporting]
        assert web.process.returncode == 0
    assert min(taken) > 0
    assert dict(Newest.objects.values_list("server__agent_id", "seq")) == {
        server.agent_id: count for (server, _token), count in zip(fleet, taken, strict=True)
    }


def report_until_gone(url: str, server: Server, token: str) -> int:
    """Report one after the other until nobody listens; how many were taken."""
    taken = 0
    with requests.Session() as session:
        while True:
            body = report(agentId=server.agent_id, ts=taken)
            headers = {"X-Agent-Token": token}
            try:
                answer = session.post(
                    f"{url}/api/agents/{server.agent_id}/metrics", json=body, headers=headers, timeout=9
                )
            except requests.ConnectionError:
                return taken
            assert answer.status_code == 202
            taken += 1
