"""Partitions of history's tables: made ahead of time, dropped whole when their lifetime is over.

There is no default partition: rows in it would have to be moved before the right one could be made. Instead ingest.py
asks for a missing one with `ensure`, so that a worker that was away for days costs no report.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from psycopg import sql

from pmonitor import logs
from servers import history
from servers.history import Level

log = logs.get(__name__)
LOCK = 0x706D7061  # one process at a time makes or drops partitions ("pmpa")
SUFFIX = "%Y%m%d%H"


def keep() -> None:
    """Worker step: make what will be needed soon, drop what has outlived its level's lifetime."""
    now = timezone.now()
    for level in history.LEVELS.values():
        make(level, now, now + level.ahead)
        for name in _outlived(level, now):
            _drop(level, name)


def ensure(moment: datetime) -> None:
    """Make the partitions that hold this moment and what was shortly before it, where they are missing."""
    for level in history.LEVELS.values():
        make(level, moment - level.width, moment)


def make(level: Level, first: datetime, last: datetime) -> None:
    """Make the missing partitions of a level from the one that holds first to the one that holds last."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        there = set(_names(level))
        for start in _starts(level, first, last):
            if name_of(level, start) not in there:
                _make_one(level, start)


def name_of(level: Level, start: datetime) -> str:
    """The partition's table: the level's name and its first hour, UTC."""
    return f"{level.table}_{start.astimezone(UTC):{SUFFIX}}"


def starts(level: Level) -> list[datetime]:
    """When each of the level's partitions begins, oldest first."""
    return [_end(level, name) - level.width for name in _names(level)]


def _starts(level: Level, first: datetime, last: datetime) -> Iterator[datetime]:
    epoch = datetime.fromtimestamp(0, UTC)
    start = epoch + (first - epoch) // level.width * level.width
    while start <= last:
        yield start
        start += level.width


def _make_one(level: Level, start: datetime) -> None:
    # Attached, not created in place: attaching lets reports and pages go on meanwhile.
    parent, name = sql.Identifier(level.table), sql.Identifier(name_of(level, start))
    like = sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)")
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})")
    with connection.cursor() as cursor:
        cursor.execute(like.format(name, parent))
        cursor.execute(attach.format(parent, name, sql.Literal(start), sql.Literal(start + level.width)))


def _outlived(level: Level, now: datetime) -> list[str]:
    names = [name for name in _names(level) if _end(level, name) <= now - level.kept]
    if level.rolled_up:
        until = history.rolled_up_until(history.HOST_MINUTES)
        return [name for name in names if _end(level, name) <= until]
    if level.emptied is not None:
        ended = [name for name in _names(level) if _end(level, name) <= now - level.emptied]
        return names + [name for name in ended if name not in names and _is_empty(name)]
    return names


def _is_empty(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(name)))
        return bool(cursor.fetchone()[0])


def _end(level: Level, name: str) -> datetime:
    start = datetime.strptime(name.removeprefix(f"{level.table}_"), SUFFIX).replace(tzinfo=UTC)
    return start + level.width


def _names(level: Level) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY 1",
            [level.table],
        )
        return [name for (name,) in cursor.fetchall()]


def _drop(level: Level, name: str) -> None:
    """Drop one; it needs the table for itself for a moment, so a long query makes it give up until the next round."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if level.emptied is not None and not _stays_empty(level, name):
                return
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
    except OperationalError as error:
        log.warning("partitions.not_dropped", table=level.table, partition=name, reason=str(error))


def _stays_empty(level: Level, name: str) -> bool:
    """With the lock that dropping needs: a sample that came in meanwhile is seen, and the next one has to wait."""
    if name not in _names(level):
        return False  # another worker was quicker
    if _end(level, name) <= timezone.now() - level.kept:
        return True  # its time is over, whatever is in it
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(level.table)))
    return _is_empty(name)
