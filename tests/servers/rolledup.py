"""What is rolled up, as tests need it: these tables are no models', so nobody else fills or empties them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.utils import timezone

from servers import history, rollup

TABLES = (history.HOST_READINGS, *rollup.SOURCES, "servers_rolledup", "servers_latehour")
UNTIL = "INSERT INTO servers_rolledup VALUES (%s, %s) ON CONFLICT (level) DO UPDATE SET until = excluded.until"


def done() -> datetime:
    """When the last stretch began of which all is rolled up, once a worker has looked: four hours, by the hour."""
    ready = timezone.now() - rollup.GRACE - rollup.STRETCHES[history.HOST_MINUTES]
    stretch = rollup.STRETCHES[history.HOST_HOURS]
    return rollup._floor(ready, stretch) - stretch


def until(level: str, moment: datetime) -> None:
    """Everything before the moment counts as rolled up into the level."""
    with connection.cursor() as cursor:
        cursor.execute(UNTIL, [level, moment])


@contextmanager
def nothing_before(start: datetime) -> Iterator[None]:
    """No readings at all, before and after; what is rolled up begins with the start."""
    _empty()
    for level in rollup.WIDTHS:
        until(level, start)
    yield
    _empty()


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}")
