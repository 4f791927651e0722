"""Reads chunks: the times alone, one sample, a stretch of them, or one process's line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import datetime
from functools import cached_property
from operator import sub
from typing import Any, NamedTuple, TypeVar

from servers.chunks.rows import Rows, Run
from servers.chunks.samples import SECTIONS, VERSION, Sample, micros, moment_of
from servers.columns import Column, Reader
from servers.proctable import Table, decompressed, line_of
from servers.wire import Proc

T = TypeVar("T")
HEAD = 1 + 4 * SECTIONS  # where the first section begins


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
        self._columns: dict[int, Column] = {}  # by section
        self._facts = [self._head.column(self.count) for _ in range(3)]  # times, ts and totals

    @cached_property
    def _times(self) -> list[int]:
        return self._facts[0].stretch(0, self.count)

    @cached_property
    def _ts(self) -> list[float]:
        return self._facts[1].stretch(0, self.count)

    @cached_property
    def _totals(self) -> list[int]:
        return self._facts[2].stretch(0, self.count)

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
        found = rows.at(number)
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
        return self if self.goes_on(data) else Chunk(data)

    def goes_on(self, data: bytes) -> bool:
        """Take more of its bytes, from their beginning on; whether these are its own, and no other chunk's."""
        if data.startswith(self._data):
            self._data = data
            return True
        return False

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

    def most(self, section: int, rows: Iterable[int]) -> list[Any]:
        """What each of these rows' processes used at most; section: as of `used`."""
        starts = self._rows.starts
        return self._column(section).most([(starts[row], starts[row + 1]) for row in rows])

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
        known = zip(self._rows.values("pid"), self._rows.values("start_ticks"), strict=True)
        wanted = [row for row, one in enumerate(known) if one == (pid, start_ticks)]
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
        if section not in self._columns:
            self._columns[section] = Reader(self._section(section)).column(self._rows.starts[-1])
        return self._columns[section]

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self._head)

    @property
    def _moves(self) -> list[Column]:
        return [self._column(section) for section in range(1, SECTIONS)]

    @property
    def _usage(self) -> tuple[Column, Column]:
        """CPU and memory, to read a few processes of."""
        return self._column(1), self._column(2)
