"""Reads chunks: the times alone, one sample, a stretch of them, or one process's line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple, TypeVar

from servers.chunks.samples import SECTIONS, VERSION, Sample, micros, moment_of
from servers.columns import Column, Reader, Words
from servers.proctable import STAYS, Table, decompressed, line_of
from servers.wire import Proc

T = TypeVar("T")
HEAD = 1 + 4 * SECTIONS  # where the first section begins


class Run(NamedTuple):
    """Samples one after the other that a process is in: its row, the first, one past the last, the first's cell."""

    row: int
    first: int
    last: int
    cell: int


class Use(NamedTuple):
    """What a row's process took in samples one after the other: its row, the first, and the values."""

    row: int
    first: int
    values: list[Any]


class Peak(NamedTuple):
    """What a row's process took at most in some samples: numbers of samples; percent of one core, MB."""

    row: int
    first: int
    last: int  # one past it
    cpu: float | None
    cpu_at: int
    mem_mb: float
    mem_at: int


class Chunk:
    """A chunk's bytes, of which as much is decoded as is asked for; raises ValueError where they are no chunk."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = bytes(data)
        if self._data[:1] != VERSION:
            raise ValueError(f"a chunk of an unknown version: {self._data[:1]!r}")
        self._head = Reader(self._section(0))
        self.count = self._head.number()
        self._times = self._head.column(self.count).stretch(0, self.count)
        self._ts = self._head.column(self.count).stretch(0, self.count)
        self._totals = self._head.column(self.count).stretch(0, self.count)

    @property
    def times(self) -> list[datetime]:
        """When each sample was taken, oldest first."""
        return [moment_of(time) for time in self._times]

    def before(self, moment: datetime) -> int | None:
        """The number of the newest sample at or before a moment."""
        number = bisect_right(self._times, micros(moment)) - 1
        return number if number >= 0 else None

    def at(self, number: int) -> list[Proc]:
        """The processes of one sample."""
        rows = self._rows
        found = [(run.row, run.cell + number - run.first) for run in rows.runs if run.first <= number < run.last]
        cells = [(rows.starts[row], cell) for row, cell in found]
        moves = zip(*(column.at(cells) for column in self._moves), strict=True)
        procs = []
        for (row, _), (cpu, mem, status, threads) in zip(found, moves, strict=True):
            name, pid, user, cmdline, ppid, ticks = rows.stays[row]
            procs.append(Proc(name, pid, cpu, mem, status, user, cmdline, ppid, threads, ticks))
        return self._in_order(number, procs)

    def sampled(self, number: int) -> tuple[datetime, float, int]:
        """Of one sample: when by the hub's clock and by the agent's, and of how many processes."""
        return moment_of(self._times[number]), self._ts[number], self._totals[number]

    def samples(self, first: int = 0, last: int | None = None) -> Iterator[Sample]:
        """The samples from the first of these numbers to the one before the last."""
        last = self.count if last is None else last
        lines = [line_of(stays) for stays in self._rows.stays]
        present: list[list[tuple[int, int]]] = [[] for _ in range(last - first)]
        for run in self._rows.runs:
            for number in range(max(run.first, first), min(run.last, last)):
                present[number - first].append((run.row, run.cell + number - run.first))
        moves = [column.stretches(self._rows.starts) for column in self._moves]
        for number, by_pid in enumerate(present, first):
            found = self._in_order(number, by_pid)
            cells = [cell for _, cell in found]
            table = Table([lines[row] for row, _ in found], *([values[cell] for cell in cells] for values in moves))
            yield Sample(*self.sampled(number), table)

    @property
    def text(self) -> bytes:
        """Bytes that have every text of its processes in them, as it is, and more; to look before decoding."""
        return self._head.data

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """What stays the same of each process there was: the values of STAYS."""
        return self._rows.stays

    def completed(self, data: bytes) -> Chunk:
        """The same chunk out of all its bytes, when it was made of their beginning; else the chunk that they are."""
        if not data.startswith(self._data):
            return Chunk(data)
        self._data = data
        return self

    def size(self, sections: int) -> int:
        """How many bytes the beginning up to the end of so many sections takes."""
        return HEAD + sum(self._sizes[:sections])

    @property
    def micros(self) -> list[int]:
        """When each sample was taken, in microseconds since 1970, oldest first."""
        return self._times

    def fitting(self, field: str, fits: Callable[[str], bool]) -> list[int]:
        """The rows of which a text of STAYS fits."""
        return self._rows.fitting(field, fits)

    def identities(self, rows: Iterable[int]) -> list[tuple[int, int | None]]:
        """Pid and start ticks of each of these rows."""
        pids, ticks = self._rows.values("pid"), self._rows.values("start_ticks")
        return [(pids[row], ticks[row]) for row in rows]

    def runs_of(self, rows: Iterable[int]) -> list[Run]:
        """When these rows were there, row by row."""
        return [run for row in rows for run in self._rows.runs_of(row)]

    def left_out(self) -> list[int]:
        """Of each sample: how many processes there were that it does not tell."""
        return list(map(sub, self._totals, self._rows.counts(self.count)))

    def used(self, section: int, rows: Iterable[int]) -> Iterator[Use]:
        """What the processes of these rows used, row by row; section: 1 CPU in percent of one core, 2 memory in MB."""
        column, starts = self._column(section), self._rows.starts
        for row in rows:
            start = starts[row]
            values = column.stretch(start, starts[row + 1])
            for _row, first, last, cell in self._rows.runs_of(row):
                yield Use(row, first, values[cell - start : cell - start + last - first])

    def peaks(self, wanted: Container[int], first: int, last: int) -> Iterator[Peak]:
        """What the wanted rows took at most, in the samples from the first of these numbers to one before the last."""
        cpu, mem = self._usage
        for run in self._rows.runs:
            begin, end = max(run.first, first), min(run.last, last)
            if run.row in wanted and begin < end:
                start = self._rows.starts[run.row]
                cells = start, run.cell + begin - run.first, run.cell + end - run.first
                (most, at), (mem_mb, mem_at) = cpu.peak(*cells), mem.peak(*cells)
                yield Peak(run.row, begin, end, most, begin + at, mem_mb, begin + mem_at)

    def lines(self, cpu: bool, first: int, last: int) -> Iterator[tuple[int, int, list[Any]]]:
        """Of samples from first to the one before last: a row, the number of its first there, its CPU or memory."""
        column = self._usage[0 if cpu else 1]
        for row, begin, end, cell in self._rows.runs:
            at, until = max(begin, first), min(end, last)
            if at < until:
                start = self._rows.starts[row]
                yield row, at, column.stretch(start, cell + until - begin)[cell + at - begin - start :]

    def stretches(self, wanted: Iterable[int]) -> Iterator[tuple[int, int, list[float | None], list[float]]]:
        """Of the wanted rows: the row, the number of a first sample, and CPU and memory in it and those that follow."""
        cpu, mem = self._usage
        for row in wanted:
            start = self._rows.starts[row]
            for _row, first, last, cell in self._rows.runs_of(row):
                stop, skipped = cell + last - first, cell - start
                yield row, first, cpu.stretch(start, stop)[skipped:], mem.stretch(start, stop)[skipped:]

    def line(self, pid: int, start_ticks: int | None) -> list[tuple[datetime, float | None, float]]:
        """One process's CPU and memory, sample by sample."""
        wanted = [row for row, stays in enumerate(self.rows) if (stays[1], stays[5]) == (pid, start_ticks)]
        found: dict[int, tuple[float | None, float]] = {}
        for _row, first, cpus, mems in self.stretches(wanted) if wanted else ():
            found |= dict(enumerate(zip(cpus, mems, strict=True), first))
        return [(moment_of(self._times[number]), *found[number]) for number in sorted(found)]

    def _in_order(self, number: int, by_pid: list[T]) -> list[T]:
        """In the order the agent sent them."""
        order = self._rows.orders.get(number)
        return by_pid if order is None else [by_pid[place] for place in order]

    def _section(self, number: int) -> bytes:
        first = self.size(number)
        return decompressed(self._data[first : first + self._sizes[number]])

    @property
    def _sizes(self) -> list[int]:
        return [int.from_bytes(self._data[at : at + 4], "little") for at in range(1, HEAD, 4)]

    def _column(self, section: int) -> Column:
        return Reader(self._section(section)).column(self._rows.starts[-1])

    @cached_property
    def _rows(self) -> _Rows:
        return _Rows(self._head)

    @cached_property
    def _moves(self) -> tuple[Column, Column, Column, Column]:
        cpu, mem, status, threads = map(self._column, range(1, SECTIONS))
        return cpu, mem, status, threads

    @cached_property
    def _usage(self) -> tuple[Column, Column]:
        """CPU and memory, to read a few processes of."""
        return self._column(1), self._column(2)


class _Rows:
    """The processes of a chunk, what each was, where its cells begin, and when it was there."""

    def __init__(self, head: Reader) -> None:
        self._head, self._count = head, head.number()
        count = self._count
        self._columns = {field: head.column(count) for field in STAYS}
        of_each = head.ints(count)
        self._gaps, self._lengths = head.ints(sum(of_each)), head.ints(sum(of_each))
        self._firsts = list(accumulate(of_each, initial=0))  # of each row: the number of its first run
        self._cells = list(accumulate(self._lengths, initial=0))  # of each run: its first cell
        self.starts = [self._cells[number] for number in self._firsts]

    @cached_property
    def stays(self) -> list[tuple[Any, ...]]:
        """The values of STAYS of each."""
        return list(zip(*map(self.values, STAYS), strict=True))

    def values(self, field: str) -> list[Any]:
        """Those of one of STAYS."""
        return self._columns[field].stretch(0, self._count)

    def fitting(self, field: str, fits: Callable[[str], bool]) -> list[int]:
        """The rows of which a text fits."""
        column = self._columns[field]
        if not isinstance(column, Words):
            raise TypeError(f"no texts: {field}")
        return column.fitting(fits, self._count)

    def counts(self, samples: int) -> list[int]:
        """How many processes each sample tells."""
        more = [0] * (samples + 1)
        for row in range(self._count):
            last = 0
            for number in range(self._firsts[row], self._firsts[row + 1]):
                first = last + self._gaps[number]
                last = first + self._lengths[number]
                more[first] += 1
                more[last] -= 1
        return list(accumulate(more))[:samples]

    def runs_of(self, row: int) -> Iterator[Run]:
        """When one row was there, in the order of time."""
        last = 0
        for number in range(self._firsts[row], self._firsts[row + 1]):
            first = last + self._gaps[number]
            last = first + self._lengths[number]
            yield Run(row, first, last, self._cells[number])

    @cached_property
    def runs(self) -> list[Run]:
        """When all of them were, by pid, as agents send them."""
        runs = [run for row in range(self._count) for run in self.runs_of(row)]
        return sorted(runs, key=lambda run: (self.stays[run.row][1], run.row))

    @cached_property
    def orders(self) -> dict[int, Sequence[int]]:
        """Of the samples that are not by pid: which place by pid each process in the agent's order has."""
        head = self._head  # what is read last of it
        numbers = head.ints(head.number())
        return {number: head.ints(sum(run.first <= number < run.last for run in self.runs)) for number in numbers}
