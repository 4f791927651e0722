"""Reads what each process used in two stretches of time, one after the other, of raw rows and chunks.

Nothing is built sample by sample: a chunk keeps each process's values in one piece, of which only the wanted metric is
decoded; raw rows are summed by the line that names their process, which is decoded once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec
from django.db import connection
from psycopg import Cursor

from servers import history, rawtables
from servers.chunks.read import Chunk
from servers.chunks.samples import Sample
from servers.history import HOUR
from servers.spike import CPU, Key, Stretch, Use, What

# One statement sees the table as it is at one moment, in which each sample is either raw or in a chunk.
ROWS: Final = f"""SELECT 0, sampled_at, ts, procs_total, procs FROM {history.PROCESSES}
    WHERE server_id = %(server)s AND sampled_at >= %(chain)s AND sampled_at < %(end)s
    UNION ALL SELECT 1, hour, 0, 0, data FROM {history.CHUNKS}
    WHERE server_id = %(server)s AND hour > %(hour)s AND hour < %(end)s AND first_at < %(end)s AND last_at >= %(begin)s
    ORDER BY 1, 2, 3"""  # noqa: S608
_lines: Final = msgspec.json.Decoder(list[Any])


class Run(NamedTuple):
    """A piece of time within one stretch and between two boots: from start up to and without end."""

    start: datetime
    end: datetime
    stretch: Stretch
    boot: int


class Read(NamedTuple):
    """Both stretches, and what each process in them is called."""

    before: Stretch
    now: Stretch
    whats: dict[Key, What]


def read(
    server_id: int, metric: str, begin: datetime, start: datetime, end: datetime, boots: Sequence[datetime]
) -> Read:
    """The stretch from start up to and without end, and the one from begin to start; boots: when, oldest first."""
    found = Read(Stretch(), Stretch(), {})
    runs = runs_of(found, begin, start, end, boots)
    raw: list[rawtables.Row] = []
    about = {
        "server": server_id,
        "chain": rawtables.chain_start(begin),
        "hour": begin - HOUR,
        "begin": begin,
        "end": end,
    }
    with _cursor() as cursor:
        cursor.execute(ROWS, about, binary=True)
        for kind, at, ts, total, data in cursor:
            if kind:
                of_chunk(Chunk(data), metric, runs, found.whats)
            else:
                raw.append(rawtables.Row(at, ts, total, bytes(data)))
    samples = rawtables.samples(raw)
    of_raw((sample for sample in samples if sample.sampled_at >= begin), metric, runs, found.whats)
    return found


def _cursor() -> Cursor[Any]:
    connection.ensure_connection()
    return Cursor(connection.connection)  # Django's own would bring the bytes as text, twice their size


def runs_of(found: Read, begin: datetime, start: datetime, end: datetime, boots: Sequence[datetime]) -> list[Run]:
    """Both stretches cut at the boots; the sample taken at a boot's moment is the first one after it."""
    cuts = sorted({begin, start, end, *(boot for boot in boots if begin < boot < end)})
    return [
        Run(first, last, found.before if first < start else found.now, bisect_right(boots, first))
        for first, last in pairwise(cuts)
    ]


def of_chunk(chunk: Chunk, metric: str, runs: Sequence[Run], whats: dict[Key, What]) -> None:
    """Add what a chunk tells to the runs' stretches."""
    times = chunk.times
    spans = [(bisect_left(times, run.start), bisect_left(times, run.end), run) for run in runs]
    first, last = spans[0][0], spans[-1][1]
    told = [0] * (len(times) + 1)  # how many more processes each sample tells than the one before
    for row, at, values in chunk.lines(metric == CPU, first, last):
        told[at] += 1
        told[at + len(values)] -= 1
        name, pid, user, cmdline, _ppid, ticks = chunk.rows[row]
        for begin, end, run in spans:
            part = values[max(begin - at, 0) : max(end - at, 0)]
            if part:
                key, seen = Key(run.boot, pid, ticks), max(begin, at)
                whats[key] = What(name, user, cmdline)
                run.stretch.used(key, _use(part, times[seen], times[seen + len(part) - 1]))
    for begin, end, run in spans:
        count = sum(told[:begin])
        for number in range(begin, end):
            count += told[number]
            sampled_at, _ts, total = chunk.sampled(number)
            run.stretch.see(sampled_at, total, count)


def _use(values: Sequence[float | None], first: datetime, last: datetime) -> Use:
    known = [value for value in values if value is not None]
    return Use(sum(known), len(known), len(values) - len(known), first, last)


class _Sums:
    """What the raw tables of one run add up to, by the line that names a process."""

    def __init__(self) -> None:
        self.totals: dict[bytes, float] = {}
        self.present: Counter[bytes] = Counter()
        self.unknown: Counter[bytes] = Counter()
        self.first: dict[bytes, datetime] = {}
        self.last: dict[bytes, datetime] = {}

    def add(self, at: datetime, lines: list[bytes], values: Sequence[float | None]) -> None:
        """One table, later than those before."""
        totals = self.totals
        self.present.update(lines)
        self.last.update(dict.fromkeys(lines, at))
        for line in self.last.keys() - self.first.keys():
            self.first[line], totals[line] = at, 0.0
        if None in values:
            self.unknown.update(line for line, value in zip(lines, values, strict=True) if value is None)
        for line, value in zip(lines, values, strict=True):
            if value:
                totals[line] += value

    def uses(self) -> Iterator[tuple[list[Any], Use]]:
        """What each process is, by STAYS, and what it used."""
        for line, present in self.present.items():
            unknown = self.unknown[line]
            use = Use(self.totals[line], present - unknown, unknown, self.first[line], self.last[line])
            yield _lines.decode(line), use


def of_raw(samples: Iterable[Sample], metric: str, runs: Sequence[Run], whats: dict[Key, What]) -> None:
    """Add what raw tables tell, oldest first."""
    sums = [_Sums() for _ in runs]
    starts = [run.start for run in runs]
    for sample in samples:
        number, table = bisect_right(starts, sample.sampled_at) - 1, sample.table
        runs[number].stretch.see(sample.sampled_at, sample.total, len(table.stays))
        sums[number].add(sample.sampled_at, table.stays, table.cpu if metric == CPU else table.mem_mb)
    for run, sum_ in zip(runs, sums, strict=True):
        for (name, pid, user, cmdline, _ppid, ticks), use in sum_.uses():
            key = Key(run.boot, pid, ticks)
            whats[key] = What(name, user, cmdline)
            run.stretch.used(key, use)
