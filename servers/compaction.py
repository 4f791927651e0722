"""Moves raw process tables into chunks: one of each server and hour.

An hour is compacted when it is over and late reports had time to come. What comes later still is put into the chunk
that is there. A sample leaves the raw table in the very transaction that writes it into the chunk: killed at any
point, it is in exactly one of them. Two workers do not meet: each takes a lock of the server and hour, or goes on.

A raw row may build on the one before it (rawtables.py), so the row of the newest report, which every report locks,
is locked before raw rows are taken away, and told that there is nothing to build on any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta
from heapq import merge
from operator import attrgetter
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from pmonitor import logs
from servers import changes, partitions, rawtables
from servers.chunks.read import Chunk
from servers.chunks.samples import Sample
from servers.chunks.write import encode
from servers.history import CHUNKS, HOUR, LEVELS, PROCESSES
from servers.outlines import Base

log = logs.get(__name__)
GRACE = timedelta(minutes=5)  # for late reports, after the hour's end
AGAIN = timedelta(minutes=10)  # a chunk is written again for later ones so long after it was written
BATCH_SEC = 0.5  # a step begins no other server's hour after that
_put_off: dict[tuple[int, datetime], float] = {}  # until when; only this process's, so the worst is a try too many
LOCK = 0x706D6368  # with a number made of the server and the hour ("pmch")

SERVERS = """WITH RECURSIVE found AS (
    SELECT min(server_id) AS id FROM {raw}
    UNION ALL SELECT (SELECT min(server_id) FROM {raw} WHERE server_id > found.id) FROM found WHERE id IS NOT NULL)
SELECT id FROM found WHERE id IS NOT NULL
    AND NOT EXISTS (SELECT FROM servers_processchunk WHERE server_id = id AND hour = %s AND written_at > %s)"""
NEWEST = "SELECT raw_at FROM servers_newest WHERE server_id = %s FOR UPDATE"
BUILDS_NO_MORE = "UPDATE servers_newest SET raw_ts = NULL, raw_procs = NULL WHERE server_id = %s"
TAKE = f"""DELETE FROM {PROCESSES} raw USING unnest(%s::timestamptz[], %s::double precision[]) AS taken (sampled_at, ts)
    WHERE server_id = %s AND raw.sampled_at = taken.sampled_at AND raw.ts = taken.ts
    AND raw.sampled_at >= %s AND raw.sampled_at < %s"""  # noqa: S608
LEFT = f"""SELECT procs FROM {PROCESSES} WHERE server_id = %s AND sampled_at >= %s AND sampled_at < %s"""  # noqa: S608
WRITE = """INSERT INTO servers_processchunk VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (server_id, hour) DO UPDATE SET first_at = excluded.first_at, last_at = excluded.last_at,
    written_at = excluded.written_at, samples = excluded.samples, process_samples = excluded.process_samples,
    data = excluded.data"""


class _MovedOn(Exception):
    """A report came in that builds on a row that was about to be taken away."""


def compact() -> None:
    """Worker step: compact hours that are over, oldest first, as many as the time for one step allows."""
    began, now = time.monotonic(), timezone.now()
    for hour in _over(now):
        partitions.make(LEVELS[CHUNKS], hour, hour)
        for server_id in _waiting(hour, now):
            if _put_off.get((server_id, hour), 0.0) > time.monotonic():
                continue
            _try(server_id, hour, now)
            if time.monotonic() - began > BATCH_SEC:
                return


def _try(server_id: int, hour: datetime, now: datetime) -> None:
    """Compact one; what fails, or cannot be read, stays where it is, and does not keep the others from their turn."""
    moved = 0
    try:
        moved = compact_hour(server_id, hour, now)
    except Exception:
        log.exception("compaction.failed", server=server_id, hour=hour.isoformat())
    _put_off.pop((server_id, hour), None)
    if not moved:
        _put_off[server_id, hour] = time.monotonic() + AGAIN.total_seconds()


def compact_hour(server_id: int, hour: datetime, now: datetime) -> int:
    """Move the raw tables of a server's hour into its chunk; returns how many there were."""
    try:
        return _compact(server_id, hour, now, wait=False)
    except _MovedOn:
        return _compact(server_id, hour, now, wait=True)


def _over(now: datetime) -> Iterator[datetime]:
    for start in partitions.starts(LEVELS[PROCESSES]):
        if start + HOUR + GRACE <= now:
            yield start


def _waiting(hour: datetime, now: datetime) -> list[int]:
    """Servers with raw tables of that hour, but those whose chunk was just written."""
    raw = sql.Identifier(partitions.name_of(LEVELS[PROCESSES], hour))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(SERVERS).format(raw=raw), [hour, now - AGAIN])
        return [server_id for (server_id,) in cursor.fetchall()]


def _compact(server_id: int, hour: datetime, now: datetime, wait: bool) -> int:
    """As compact_hour; wait: keep the server's reports waiting from the beginning, not only at the end."""
    with transaction.atomic():
        if not _mine(server_id, hour):
            return 0
        if wait:
            _lock_newest(server_id, hour)
        rows = rawtables.rows(server_id, hour, hour + HOUR)
        chunk = _Counted(_merged(_chunk_of(server_id, hour), rawtables.samples(rows)))
        data = encode(chunk)
        taken = {row.key for row in rows} & chunk.keys
        if not taken:
            return 0
        _lock_newest(server_id, hour)
        _take(server_id, hour, taken)
        _write(server_id, hour, now, chunk, data)
    log.info("compaction.done", server=server_id, hour=hour.isoformat(), samples=len(chunk.keys), bytes=len(data))
    return len(taken)


def _mine(server_id: int, hour: datetime) -> bool:
    number = (server_id * 1_000_003 + int(hour.timestamp()) // 3600) % 2**31
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, number])
        return bool(cursor.fetchone()[0])


class _Counted:
    """Samples on their way into a chunk, and what is noted of them as they go by."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples
        self.keys: set[Base] = set()
        self.processes = 0

    def __iter__(self) -> Iterator[Sample]:
        for sample in self._samples:
            self.keys.add(Base(sample.sampled_at, sample.ts))
            self.processes += len(sample.table.stays)
            yield sample


def _chunk_of(server_id: int, hour: datetime) -> Iterator[Sample]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT data FROM {CHUNKS} WHERE server_id = %s AND hour = %s", [server_id, hour])  # noqa: S608
        found = cursor.fetchone()
    return Chunk(found[0]).samples() if found else iter(())


def _merged(there: Iterable[Sample], raw: Iterable[Sample]) -> Iterator[Sample]:
    """Both in the order of their time; what is in both comes once."""
    last = None
    for sample in merge(there, raw, key=attrgetter("key")):
        if sample.key != last:
            yield sample
        last = sample.key


def _lock_newest(server_id: int, hour: datetime) -> None:
    """Until the end of the transaction no report of the server is stored; the next one builds on nothing taken away."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [server_id])
        newest = cursor.fetchone()
        if newest and newest[0] and hour <= newest[0] < hour + HOUR:
            cursor.execute(BUILDS_NO_MORE, [server_id])


def _take(server_id: int, hour: datetime, taken: Set[Base]) -> None:
    span: list[Any] = [server_id, hour, hour + HOUR]
    keys: list[Any] = [[key.sampled_at for key in taken], [key.ts for key in taken]]
    with connection.cursor() as cursor:
        cursor.execute(TAKE, keys + span)
        if cursor.rowcount != len(taken):
            raise RuntimeError(f"{cursor.rowcount} of {len(taken)} raw tables of server {server_id}, {hour}")
        cursor.execute(LEFT, span)
        for (procs,) in cursor.fetchall():
            if changes.is_change(bytes(procs)) and changes.base_of(bytes(procs)) in taken:
                raise _MovedOn


def _write(server_id: int, hour: datetime, now: datetime, chunk: _Counted, data: bytes) -> None:
    first, last = min(chunk.keys).sampled_at, max(chunk.keys).sampled_at
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [server_id, hour, first, last, now, len(chunk.keys), chunk.processes, data])
