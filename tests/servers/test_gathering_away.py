"""Reports that are gathered while the database, or the hub, goes away."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests
from django.db import OperationalError, connection
from psycopg import sql

from pmonitor import problems
from servers import gathering, ingest
from servers.gathering import Gatherer
from servers.ingest import Incoming
from servers.models import Newest, Server
from tests.actions.web_process import web_process
from tests.cast import enrolled
from tests.servers.gathered import commits, incoming, outcomes, together
from tests.servers.reports import report
from tests.servers.test_ingest_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


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
    monkeypatch.setattr(pooled.pool, "timeout", 0.5)
    made = Database()
    yield made
    made.open(True)


def test_a_connection_that_was_cut_costs_no_report(gatherer: Gatherer, web1: Server, database: Database) -> None:
    together(gatherer, incoming(web1, 1))
    at_once([lambda: connection.ensure_connection()] * 3)  # now some are idle in the pool, and die with the kept one
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
