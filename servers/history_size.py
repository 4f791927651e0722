"""What history takes on disk, indexes and the overhead of rows included, and how much it is going to take."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from psycopg import sql

from pmonitor.rows import fetched
from servers import history, partitions
from servers.history import CHUNKS, DAY, HOST_DAYS, HOST_HOURS, HOST_MINUTES, HOUR, LEVELS, PROCESSES, Level
from servers.proctable import unpack

TIMES = {  # the columns that tell the oldest and the newest
    CHUNKS: ("first_at", "last_at"),
    HOST_MINUTES: ("at", "at"),
    HOST_HOURS: ("at", "at"),
    HOST_DAYS: ("at", "at"),
    history.EVENTS: ("at", "at"),
    history.DISKS: ("at", "at"),
}
SAMPLED = ("sampled_at", "sampled_at")
PASSING = 2 * HOUR  # about as long raw process tables stay until they are compacted


class Size(NamedTuple):
    """One level: bytes and rows now, oldest and newest, growth a day, and bytes when it is as old as it may get."""

    table: str
    bytes: int
    rows: int
    oldest: datetime | None
    newest: datetime | None
    bytes_a_day: float | None
    when_full: float | None


class Cost(NamedTuple):
    """How many process-samples a level holds, and bytes on disk of each."""

    samples: int
    bytes: float


class Waiting(NamedTuple):
    """How far the levels are, and what is still to do."""

    minutes: datetime
    hours: datetime
    days: datetime
    hours_to_compact: int
    late_hours: int


def sizes() -> list[Size]:
    """Each level's size and forecast."""
    return [_size(level) for level in LEVELS.values()]


def process_samples() -> dict[str, Cost | None]:
    """Bytes on disk of each process in each table, raw and compacted; None where there are none."""
    ((compacted,),) = fetched(sql.SQL("SELECT coalesce(sum(process_samples), 0)::bigint FROM servers_processchunk"))
    return {"raw": _cost(PROCESSES, _raw_samples()), "compacted": _cost(CHUNKS, compacted)}


def waiting() -> Waiting:
    """What the worker has still to do."""
    over = timezone.now() - HOUR
    ((to_compact,),) = fetched(
        sql.SQL(
            "SELECT count(*) FROM (SELECT DISTINCT server_id, date_bin('1 hour', sampled_at, 'epoch')"
            " FROM servers_processsnapshot WHERE sampled_at < %s) hours"
        ),
        [_hour(over)],
    )
    ((late,),) = fetched(sql.SQL("SELECT count(*) FROM servers_latehour"))
    until = history.rolled_up_until
    return Waiting(until(HOST_MINUTES), until(HOST_HOURS), until(HOST_DAYS), to_compact, late)


def _size(level: Level) -> Size:
    first, last = TIMES.get(level.table, SAMPLED)
    query = sql.SQL("SELECT count(*), min({}), max({}) FROM {}").format(
        *map(sql.Identifier, (first, last, level.table))
    )
    ((rows, oldest, newest),) = fetched(query)
    size = _bytes(level)
    if not rows:
        return Size(level.table, size, 0, None, None, None, None)
    span = max(newest - oldest, timedelta(minutes=10))
    a_day = size / (span / DAY) if span < level.kept else size / (level.kept / DAY)
    kept = PASSING if level.emptied is not None else level.kept
    return Size(level.table, size, rows, oldest, newest, a_day, a_day * (kept / DAY))


def _bytes(level: Level) -> int:
    names = [partitions.name_of(level, start) for start in partitions.starts(level)]
    ((size,),) = fetched(
        sql.SQL("SELECT coalesce(sum(pg_total_relation_size(name::regclass)), 0)::bigint FROM unnest(%s::text[]) name"),
        [names],
    )
    return int(size)


def _cost(table: str, samples: int) -> Cost | None:
    return Cost(samples, _bytes(LEVELS[table]) / samples) if samples else None


def _raw_samples() -> int:
    """As many as the raw rows tell of, or their servers' newest whole tables hold: at most 500 are sent."""
    ((rows,),) = fetched(sql.SQL("SELECT count(*) FROM servers_processsnapshot"))
    if not rows:
        return 0
    found = fetched(sql.SQL("SELECT procs FROM servers_newest WHERE raw_ts IS NOT NULL LIMIT 20"))
    each = [len(unpack(procs)) for (procs,) in found]
    return round(rows * sum(each) / len(each)) if each else 0


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
