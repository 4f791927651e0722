"""Finds the processes that were on a server at any time in a stretch of the past: when, and how much they took.

Of a chunk the identities are read first, which are a tenth of it; the rest only where one of them is looked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from pmonitor.rows import fetched_as_bytes
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

    def add(self, more: Life) -> None:
        """What else was seen of it; the same once more changes nothing."""
        self.first, self.last = min(self.first, more.first), max(self.last, more.last)
        if more.cpu is not None and (self.cpu is None or more.cpu > self.cpu):
            self.cpu, self.cpu_at = more.cpu, more.cpu_at
        if more.mem_mb > self.mem_mb:
            self.mem_mb, self.mem_at = more.mem_mb, more.mem_at


def lives(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> list[Life]:
    """Those that hold to what is wanted, from start up to and without end, the one with the highest CPU first."""
    found: dict[Key, Life] = {}
    for seen in _raw(server_id, wanted, start, end):  # before chunks: what moves on is met twice
        _note(found, seen)
    for chunk, rows in _chunks(server_id, wanted, start, end):
        times, identities = chunk.times, chunk.rows
        for peak in chunk.peaks(rows, bisect_left(times, start), bisect_left(times, end)):
            name, pid, user, cmdline, _ppid, ticks = identities[peak.row]
            first, last, cpu_at, mem_at = (times[n] for n in (peak.first, peak.last - 1, peak.cpu_at, peak.mem_at))
            _note(found, Life(pid, ticks, name, user, cmdline, first, last, peak.cpu, cpu_at, peak.mem_mb, mem_at))
    return sorted(found.values(), key=lambda life: (life.cpu is None, -(life.cpu or 0), life.pid))


def _note(found: dict[Key, Life], seen: Life) -> None:
    life = found.setdefault((seen.pid, seen.start_ticks), seen)
    if life is not seen:
        life.add(seen)


def _raw(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> Iterator[Life]:
    """Each wanted process as it was in each raw row."""
    known: dict[bytes, Any] = {}  # what a line says, None where it is not wanted
    rows = rawtables.rows(server_id, rawtables.chain_start(start), end)
    for sample in rawtables.samples(rows):
        if sample.sampled_at < start:
            continue
        at, table = sample.sampled_at, sample.table
        for place, line in enumerate(table.stays):
            if line not in known:
                stays = msgspec.json.decode(line)
                known[line] = stays if wanted.holds(*stays[:4]) else None
            if (stays := known[line]) is not None:
                name, pid, user, cmdline, _ppid, ticks = stays
                cpu, mem = table.cpu[place], table.mem_mb[place]
                yield Life(pid, ticks, name, user, cmdline, at, at, cpu, at, mem, at)


def _chunks(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> Iterator[tuple[Chunk, set[int]]]:
    """The chunks that have some of it, and its rows there."""
    held: dict[tuple[Any, ...], bool] = {}
    for hour, data in fetched_as_bytes(HEADS, [server_id, start - HOUR, end, end, start]):
        head = Chunk(data)
        if not wanted.may_be_in(head.text):
            continue
        held = _held(head, wanted, held)
        if not any(held.values()):
            continue
        for (whole,) in fetched_as_bytes(CHUNK, [server_id, hour]):
            chunk = head.completed(whole)
            if chunk is not head:  # it was written anew in between
                held = _held(chunk, wanted, held)
            yield chunk, {row for row, stays in enumerate(chunk.rows) if held[stays[:4]]}


def _held(chunk: Chunk, wanted: Wanted, before: dict[tuple[Any, ...], bool]) -> dict[tuple[Any, ...], bool]:
    """Whether each of an hour's processes is wanted; of most it is known of the hour before."""
    processes = {stays[:4] for stays in chunk.rows}
    return {one: before[one] if one in before else wanted.holds(*one) for one in processes}
