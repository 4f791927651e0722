"""Raw process tables: a row a report, each a whole table or what changed since the row it names (changes.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import connection

from pmonitor import logs
from servers import changes, history
from servers.chunks.samples import EPOCH, Sample
from servers.outlines import Base
from servers.proctable import Table, lines_of, unpack_table

log = logs.get(__name__)
T = TypeVar("T")
CHAIN = timedelta(minutes=12)  # each such stretch of time begins with a whole table
ROWS = f"""SELECT sampled_at, ts, procs_total, procs FROM {history.PROCESSES}
    WHERE server_id = %s AND sampled_at >= %s AND sampled_at < %s ORDER BY sampled_at, ts"""  # noqa: S608


class Row(NamedTuple):
    """A raw row as stored."""

    sampled_at: datetime
    ts: float
    total: int
    procs: bytes

    @property
    def key(self) -> Base:
        """What names it among its server's."""
        return Base(self.sampled_at, self.ts)


def may_build_on(base: Base, sampled_at: datetime) -> bool:
    """Whether a table of then may be a change of that row's: both are of one chain."""
    return chain_start(sampled_at) <= base.sampled_at < sampled_at


def chain_start(moment: datetime) -> datetime:
    """When the chain that a moment belongs to begins; an hour has a whole number of them."""
    return EPOCH + (moment - EPOCH) // CHAIN * CHAIN


def rows(server_id: int, start: datetime, end: datetime) -> list[Row]:
    """The raw rows from start up to and without end, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [server_id, start, end])
        return [Row(at, ts, total, bytes(procs)) for at, ts, total, procs in cursor.fetchall()]


def samples(found: Iterable[Row]) -> Iterator[Sample]:
    """The rows, in the order of their time, as samples; those without their base are left out and logged."""
    return (Sample(*row[:3], table) for row, table in _decoded(found, unpack_table, changes.apply))


def lines(found: Iterable[Row]) -> Iterator[tuple[Row, list[bytes]]]:
    """Of the same rows only what stays the same of each process, in a third of the time."""
    return _decoded(found, lines_of, changes.apply_to_lines)


def _decoded(
    found: Iterable[Row], whole: Callable[[bytes], T], change: Callable[[T, bytes], T]
) -> Iterator[tuple[Row, T]]:
    tables: dict[Base, T] = {}
    for row in found:
        _decode(row, tables, whole, change)
        if row.key in tables:
            yield row, tables[row.key]
        if changes.is_change(row.procs):
            base = changes.base_of(row.procs)
            for older in [key for key in tables if key < base]:
                del tables[older]  # bases only get later


def newest(found: Sequence[Row]) -> Sample | None:
    """The last of the rows that can be read; no more of them are decoded than that takes."""
    by_key = {row.key: row for row in found}
    for row in reversed(found):
        chain = [row]
        while changes.is_change(chain[-1].procs) and (base := by_key.get(changes.base_of(chain[-1].procs))):
            chain.append(base)
        if not changes.is_change(chain[-1].procs):
            return samples_of_chain(reversed(chain))
    return None


def samples_of_chain(chain: Iterable[Row]) -> Sample | None:
    """The last of rows that each build on the one before."""
    tables: dict[Base, Table] = {}
    last: Row | None = None
    for last in chain:
        _decode(last, tables, unpack_table, changes.apply)
    return Sample(*last[:3], tables[last.key]) if last and last.key in tables else None


def _decode(row: Row, tables: dict[Base, T], whole: Callable[[bytes], T], change: Callable[[T, bytes], T]) -> None:
    if not changes.is_change(row.procs):
        tables[row.key] = whole(row.procs)
    elif (before := tables.get(changes.base_of(row.procs))) is not None:
        tables[row.key] = change(before, row.procs)
    else:
        log.error("rawtables.no_base", sampled_at=row.sampled_at.isoformat(), ts=row.ts)
