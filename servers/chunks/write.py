"""Writes chunks.

An hour of 500 processes is 180,000 cells a column, and in most of them nothing happens: so from sample to sample only
what is other is looked at, and put into columns of zeros.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, compress, count
from typing import Any, Final

import msgspec
from zstandard import ZstdCompressor

from servers.alignment import gone_and_new, inserted, without
from servers.chunks.samples import VERSION, Sample, micros
from servers.columns import Writer
from servers.proctable import STAYS, Table

LEVEL: Final = 6  # of zstd; more costs time and gains next to nothing
NOTHING: Final = Table([], [], [], [], [])
FIRST: Final = object()  # stands for what is before a row's first value


class _Changes:
    """One column's changes in the order of time: row, its how manieth cell, the value from there on and before."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.cells: list[int] = []
        self.values: list[Any] = []
        self.before: list[Any] = []
        self.left: dict[int, Any] = {}  # of rows that are not there any more: their last value


class _Rows:
    """The processes of a chunk: a row for each that there ever was, when it was there, and what changed."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[bytes, int], int] = {}  # by line, and how many the same came before in its table
        self.stays: list[list[Any]] = []
        self.runs: list[list[list[int]]] = []  # of each row: [first sample, one past the last]
        self.before: list[int] = []  # of each row: its cell in a sample is the sample's number less that
        self.changes = (_Changes(), _Changes(), _Changes(), _Changes())
        self.orders: list[tuple[int, list[int]]] = []  # of samples whose processes do not stand by pid
        self.last, self.last_rows, self.last_pids = NOTHING, list[int](), list[int]()

    def add(self, number: int, table: Table) -> None:
        """Add the processes of the sample of that number."""
        gone, new = gone_and_new(self.last.stays, table.stays)
        came = [self._row(table.stays[place], 0) for place in new]
        rows = inserted(without(self.last_rows, gone), new, came)
        if len(set(rows)) < len(rows):  # the very same line more than once: all of them are put in anew
            rows = came = self._with_copies(table.stays)
            gone, new = list(range(len(self.last_rows))), list(range(len(rows)))
        self._note_runs(number, [self.last_rows[place] for place in gone], came)
        stayed = without(rows, new)
        columns: tuple[list[Any], ...] = self.last[1:]
        now: tuple[list[Any], ...] = table[1:]
        for changes, old, values in zip(self.changes, columns, now, strict=True):
            self._note_changes(changes, number, stayed, without(old, gone), without(values, new))
            changes.left.update((self.last_rows[place], old[place]) for place in gone)
            before = [changes.left.get(row, FIRST) for row in came]
            self._note(changes, number, came, [values[place] for place in new], before)
        self.last_pids = inserted(without(self.last_pids, gone), new, [self.stays[row][1] for row in came])
        self.last, self.last_rows = table, rows
        if not all(map(operator.lt, self.last_pids, self.last_pids[1:])):
            self._note_order(number, rows)

    def end(self, number: int) -> None:
        """There are so many samples."""
        self._note_runs(number, self.last_rows, [])

    def _row(self, line: bytes, copy: int) -> int:
        row = self.numbers.setdefault((line, copy), len(self.stays))
        if row == len(self.stays):
            self.stays.append(msgspec.json.decode(line))
            self.runs.append([])
            self.before.append(0)
        return row

    def _with_copies(self, lines: list[bytes]) -> list[int]:
        rows, seen = [], dict.fromkeys(lines, -1)
        for line in lines:
            seen[line] += 1
            rows.append(self._row(line, seen[line]))
        return rows

    def _note_runs(self, number: int, gone: Iterable[int], came: Iterable[int]) -> None:
        for row in gone:
            self.runs[row][-1][1] = number
        for row in came:
            runs = self.runs[row]
            if runs and runs[-1][1] == number:
                runs[-1][1] = -1  # only moved
            else:
                self.before[row] = number - sum(last - first for first, last in runs)
                runs.append([number, -1])

    def _note_changes(self, changes: _Changes, number: int, rows: list[int], old: list[Any], values: list[Any]) -> None:
        if old != values:
            others = list(compress(count(), map(operator.ne, old, values)))
            moved, now = [rows[place] for place in others], [values[place] for place in others]
            self._note(changes, number, moved, now, [old[place] for place in others])

    def _note(self, changes: _Changes, number: int, rows: list[int], values: list[Any], before: list[Any]) -> None:
        changes.rows += rows
        changes.cells += [number - self.before[row] for row in rows]
        changes.values += values
        changes.before += before

    def _note_order(self, number: int, rows: list[int]) -> None:
        by_pid = sorted(rows, key=lambda row: (self.stays[row][1], row))
        if by_pid != rows:
            places = {row: place for place, row in enumerate(by_pid)}
            self.orders.append((number, [places[row] for row in rows]))


def encode(samples: Iterable[Sample]) -> bytes:
    """The samples of one server, in the order of their time, as a chunk; one after the other, none is held."""
    rows, facts = _Rows(), []
    for number, sample in enumerate(samples):
        rows.add(number, sample.table)
        facts.append((micros(sample.sampled_at), sample.ts, sample.total))
    rows.end(len(facts))
    head, *moves = sections = [Writer() for _ in range(5)]
    _write_samples(head, facts)
    _write_rows(head, rows)
    begin: list[Callable[[Writer, list[Any]], dict[Any, int]]] = [
        Writer.number_codes, Writer.number_codes, Writer.word_codes, Writer.whole_codes,
    ]  # fmt: skip
    starts = list(accumulate((sum(last - first for first, last in runs) for runs in rows.runs), initial=0))
    for writer, changes, codes in zip(moves, rows.changes, begin, strict=True):
        writer.sparse(starts[-1], *_differences(starts, changes, codes(writer, changes.values)))
    return _joined(section.bytes for section in sections)


def _differences(starts: list[int], changes: _Changes, code_of: dict[Any, int]) -> tuple[list[int], list[int]]:
    """Which cells of a column, row by row, have another code than the one before, and by how much."""
    code_of[FIRST] = 0
    places = map(operator.add, map(starts.__getitem__, changes.rows), changes.cells)
    codes, before = map(code_of.__getitem__, changes.values), map(code_of.__getitem__, changes.before)
    return list(places), list(map(operator.sub, codes, before))


def _write_samples(head: Writer, facts: Sequence[tuple[int, float, int]]) -> None:
    head.number(len(facts))
    times, agents_times, totals = zip(*facts, strict=True) if facts else ((), (), ())
    head.whole(times)
    head.numbers(agents_times)
    head.whole(totals)


def _write_rows(head: Writer, rows: _Rows) -> None:
    head.number(len(rows.stays))
    columns: list[tuple[Any, ...]] = list(zip(*rows.stays, strict=True)) or [()] * len(STAYS)
    name, pid, user, cmdline, ppid, ticks = columns
    for write, values in (
        (head.words, name), (head.whole, pid), (head.words, user),
        (head.words, cmdline), (head.whole, ppid), (head.whole, ticks),
    ):  # fmt: skip
        write(values)
    head.ints(list(map(len, rows.runs)))
    head.ints([gap for runs in rows.runs for gap in _gaps(runs)])
    head.ints([last - first for runs in rows.runs for first, last in runs])
    head.number(len(rows.orders))
    head.ints([number for number, _ in rows.orders])
    for _, order in rows.orders:
        head.ints(order)


def _gaps(runs: list[list[int]]) -> list[int]:
    """From the end of each run before (at first from 0) to the run's first sample."""
    ends = [0, *(last for _, last in runs)]
    return [first - end for (first, _), end in zip(runs, ends, strict=False)]


def _joined(sections: Iterable[bytearray]) -> bytes:
    compressor = ZstdCompressor(level=LEVEL)
    frames = [compressor.compress(section) for section in sections]
    sizes = b"".join(len(frame).to_bytes(4, "little") for frame in frames)
    return VERSION + sizes + b"".join(frames)
