"""Rolls host readings up: raw ones to minutes, minutes to hours, hours to days, with average, least, most and count.

How far each level is, a row of servers_rolledup says. It is locked while its level moves on, so two workers take
turns, and moves in the transaction that writes the level: killed in between, nothing happened. A sample that comes in
when its minute may be done (a late or backfilled report) leaves a note of its hour, which is then done again.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from servers import history, partitions
from servers.history import DAY, HOST_DAYS, HOST_HOURS, HOST_MINUTES, HOST_READINGS, HOUR, LEVELS, READINGS

MINUTE = timedelta(minutes=1)
LATE = timedelta(minutes=1)  # an older sample may come too late for its minute
GRACE = timedelta(minutes=3)  # a minute is rolled up so long after its end; far above LATE
BATCH_SEC = 2.0  # a step begins no more after that
REDONE = 50  # late hours in one transaction
EPOCH = datetime.fromtimestamp(0, UTC)

_RAW = ", ".join(f"avg({name}), min({name}), max({name}), count({name})" for name in READINGS)
_ROLLED = ", ".join(
    f"sum({name}_avg * {name}_n) / nullif(sum({name}_n), 0), min({name}_min), max({name}_max), sum({name}_n)"
    for name in READINGS
)
_SET = ", ".join(f"{name}_{part} = excluded.{name}_{part}" for name in READINGS for part in ("avg", "min", "max", "n"))
# By server, so that each finds its rows by the key. What has more samples than is there now was made of more.
QUERY = """
INSERT INTO {level} SELECT s.id, rolled.* FROM servers_server s CROSS JOIN LATERAL (
    SELECT date_bin(%(width)s, {time}, 'epoch') AS at, {samples}, {readings} FROM {source}
    WHERE server_id = s.id AND {time} >= %(start)s AND {time} < %(end)s GROUP BY 1) rolled
WHERE %(server)s::bigint IS NULL OR s.id = %(server)s
ON CONFLICT (server_id, at) DO UPDATE SET samples = excluded.samples, {set}
WHERE excluded.samples >= {level}.samples"""
SOURCES = {HOST_MINUTES: HOST_READINGS, HOST_HOURS: HOST_MINUTES, HOST_DAYS: HOST_HOURS}  # in the order of rolling up
QUERIES = {
    level: QUERY.format(level=level, source=source, time="at", samples="sum(samples)", readings=_ROLLED, set=_SET)
    for level, source in SOURCES.items()
} | {
    HOST_MINUTES: QUERY.format(
        level=HOST_MINUTES, source=HOST_READINGS, time="sampled_at", samples="count(*)", readings=_RAW, set=_SET
    ),
}
WIDTHS = {HOST_MINUTES: MINUTE, HOST_HOURS: HOUR, HOST_DAYS: DAY}
# A level moves on by so much at the least: a server's rows that are written together lie together, and whoever reads
# them reads a fifth of the pages. And by so much at the most in one transaction.
STRETCHES = {HOST_MINUTES: 10 * MINUTE, HOST_HOURS: 4 * HOUR, HOST_DAYS: DAY}
BATCHES = {**STRETCHES, HOST_MINUTES: HOUR}


def roll_up() -> None:
    """Worker step: bring all levels up to now, as far as the time for one step goes; then what came late."""
    began = time.monotonic()
    for level in SOURCES:
        while _move_on(level, timezone.now()) and time.monotonic() - began < BATCH_SEC:
            pass
    while _redo() and time.monotonic() - began < BATCH_SEC:
        pass


def note_late(server_id: int, sampled_at: datetime) -> None:
    """Have the hour of a late sample done again; in the transaction that stores the sample."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO servers_latehour VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [server_id, _floor(sampled_at, HOUR)],
        )


def _move_on(level: str, now: datetime) -> bool:
    """Roll up the next stretch of a level; returns whether there is more."""
    until = _begin(level)
    end = min(_ready_until(level, now), until + BATCHES[level])
    if end <= until:
        return False
    partitions.make(LEVELS[level], until, end)
    with transaction.atomic():
        if _locked(level, "SKIP LOCKED") != until:
            return False  # another worker is at it, or was
        _roll(level, until, end)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE servers_rolledup SET until = %s WHERE level = %s", [end, level])
    return True


def _ready_until(level: str, now: datetime) -> datetime:
    ready = now - GRACE if level == HOST_MINUTES else history.rolled_up_until(SOURCES[level])
    return _floor(ready, STRETCHES[level])


def _begin(level: str) -> datetime:
    """Where the level ends; a new one begins with the oldest partition of what it is made of."""
    if (until := history.rolled_up_until(level)) > EPOCH:
        return until
    first = next(iter(partitions.starts(LEVELS[SOURCES[level]])), _floor(timezone.now(), STRETCHES[level]))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO servers_rolledup VALUES (%s, %s) ON CONFLICT DO NOTHING", [level, first])
    return history.rolled_up_until(level)


def _locked(level: str, otherwise: str = "") -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT until FROM servers_rolledup WHERE level = %s FOR UPDATE {otherwise}", [level])  # noqa: S608
        found: tuple[datetime] | None = cursor.fetchone()
    return found[0] if found else None


def _roll(level: str, start: datetime, end: datetime, server_id: int | None = None) -> None:
    about: dict[str, Any] = {"width": WIDTHS[level], "start": start, "end": end, "server": server_id}
    with connection.cursor() as cursor:
        cursor.execute(QUERIES[level], about)


def _redo() -> bool:
    """Roll the hours of late samples up again; returns whether there may be more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT hour FROM servers_latehour ORDER BY hour LIMIT 1")
        if (first := cursor.fetchone()) is None:
            return False
    for level in SOURCES:
        partitions.make(LEVELS[level], first[0], first[0])
    with transaction.atomic():
        # Waited for, so that nothing is rolled up meanwhile from what was there before the late sample.
        minutes, hours, days = (_locked(level) or EPOCH for level in SOURCES)
        for server_id, hour in (late := _take_late()):
            _roll(HOST_MINUTES, hour, min(hour + HOUR, minutes), server_id)
            if hour + HOUR <= hours:
                _roll(HOST_HOURS, hour, hour + HOUR, server_id)
        for server_id, day in {(server_id, _floor(hour, DAY)) for server_id, hour in late}:
            if day + DAY <= days:
                _roll(HOST_DAYS, day, day + DAY, server_id)
    return len(late) == REDONE


def _take_late() -> list[tuple[int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM servers_latehour WHERE (server_id, hour) IN (SELECT server_id, hour FROM servers_latehour"
            " ORDER BY hour LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING server_id, hour",
            [REDONE],
        )
        return [(server_id, hour) for server_id, hour in cursor.fetchall()]


def _floor(moment: datetime, width: timedelta) -> datetime:
    return EPOCH + (moment - EPOCH) // width * width
