"""Reports that come in at the same time, and how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from servers import history, ingest
from servers.gathering import Gatherer
from servers.ingest import Incoming, Stored
from servers.intake import Sent
from servers.models import Server
from servers.wire import Report
from tests.servers.reports import report

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
    return ingest.incoming(server, msgspec.convert(body, Report), NOW + at * SECOND, "10.0.0.1")


def together(gatherer: Gatherer, *reports: Incoming | Sent | tuple[Incoming, Callable[[], bool]]) -> Ends:
    """How each ended that came at the same time as the others; with what tells whether its agent left."""

    async def all_at_once() -> Ends:
        calls = [one if type(one) is tuple else (one,) for one in reports]
        return await asyncio.gather(*(gatherer.store(*call) for call in calls), return_exceptions=True)

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
