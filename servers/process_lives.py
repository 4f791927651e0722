"""Finds the processes that were on a server at any time in a stretch of the past: when, and how much they took.

Of a chunk the identities are read first, which are a tenth of it; the rest only where one of them is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import connection
from msgspec import Struct
from psycopg import Cursor

from servers import history, rawtables
from servers.chunks.read import HEAD, Chunk
from servers.history import HOUR
from servers.process_query import Wanted

# A chunk's first section, whose size is told in bytes 1 to 4; as the column is stored, no more than that is read.
HEADS: Final = f"""SELECT hour, substring(data FROM 1 FOR {HEAD} + get_byte(size, 0) + (get_byte(size, 1) << 8)
    + (get_byte(size, 2) << 16)) FROM (SELECT hour, data, substring(data FROM 2 FOR 4) AS size FROM {history.CHUNKS}
    WHERE server_id = %s AND hour > %s AND hour < %s AND first_at < %s AND last_at >= %s OFFSET 0) AS chunks
    ORDER BY hour"""  # noqa: S608
CHUNK: Final = f"SELECT data FROM {history.CHUNKS} WHERE server_id = %s AND hour = %s"  # noqa: S608
Key = tuple[int, int | None]


class Life(Struct):
    """A process as far as it was seen in the stretch; peaks: percent of one core, MB, and when."""

    pid: int
    start_ticks: int | None
    name: str
    user: str
    cmdline: str
    first: datetime
    last: datetime
    cpu: float | None
    cpu_at: datetime
    mem_mb: float
    mem_at: datetime

    def see(self, at: datetime, cpu: float | None, mem: float) -> None:
        """One sample of it; the same one again changes nothing."""
        self.first, self.last = min(self.first, at), max(self.last, at)
        if cpu is not None and (self.cpu is None or cpu > self.cpu):
            self.cpu, self.cpu_at = cpu, at
        if mem > self.mem_mb:
            self.mem_mb, self.mem_at = mem, at


def lives(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> list[Life]:
    """Those that hold to what is wanted, from start up to and without end, the one with the highest CPU first."""
    found: dict[Key, Life] = {}
    for at, stays, cpu, mem in _raw(server_id, wanted, start, end):  # before chunks: what moves on is met twice
        _see(found, stays, at, cpu, mem)
    for chunk, rows in _chunks(server_id, wanted, start, end):
        times, identities = chunk.times, chunk.rows
        for row, first, cpus, mems in chunk.stretches(rows):
            for at, cpu, mem in zip(times[first : first + len(mems)], cpus, mems, strict=True):
                if start <= at < end:
                    _see(found, identities[row], at, cpu, mem)
    return sorted(found.values(), key=lambda life: (life.cpu is None, -(life.cpu or 0), life.pid))


def _see(found: dict[Key, Life], stays: Any, at: datetime, cpu: float | None, mem: float) -> None:
    name, pid, user, cmdline, _ppid, ticks = stays
    life = found.get((pid, ticks))
    if life is None:
        found[pid, ticks] = Life(pid, ticks, name, user, cmdline, at, at, cpu, at, mem, at)
    else:
        life.see(at, cpu, mem)


def _raw(
    server_id: int, wanted: Wanted, start: datetime, end: datetime
) -> Iterator[tuple[datetime, Any, float | None, float]]:
    known: dict[bytes, Any] = {}  # what a line says, None where it is not wanted
    rows = rawtables.rows(server_id, rawtables.chain_start(start), end)
    for sample in rawtables.samples(rows):
        if sample.sampled_at < start:
            continue
        table = sample.table
        for place, line in enumerate(table.stays):
            if line not in known:
                stays = msgspec.json.decode(line)
                known[line] = stays if wanted.holds(*stays[:4]) else None
            if known[line] is not None:
                yield sample.sampled_at, known[line], table.cpu[place], table.mem_mb[place]


def _chunks(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> Iterator[tuple[Chunk, set[int]]]:
    """The chunks that have some of it, and its rows there."""
    needles = [term.in_text for term in wanted.terms]
    for hour, data in _read(HEADS, [server_id, start - HOUR, end, end, start]):
        head = Chunk(data)
        text = head.text.lower()
        if all(needle in text for needle in needles):
            rows = {row for row, stays in enumerate(head.rows) if wanted.holds(*stays[:4])}
            if rows:
                for (whole,) in _read(CHUNK, [server_id, hour]):
                    chunk = Chunk(whole)
                    same = whole.startswith(data)  # it may have been written anew in between
                    yield (
                        chunk,
                        rows if same else {row for row, stays in enumerate(chunk.rows) if wanted.holds(*stays[:4])},
                    )


def _read(query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    with Cursor(connection.connection) as cursor:  # Django's own would bring the bytes as text, twice their size
        cursor.execute(query, parameters, binary=True)  # type: ignore[call-overload]
        return cursor.fetchall()
