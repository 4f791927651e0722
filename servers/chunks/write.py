"""Writes chunks.

An hour of 500 processes is 180,000 cells a column, so what is done to each is done by Python's own C loops (map,
sorted, itemgetter), not in loops of ours.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import msgspec
from zstandard import ZstdCompressor

from servers.chunks.samples import VERSION, Sample, micros
from servers.columns import Writer
from servers.proctable import STAYS, Table

LEVEL = 6  # of zstd; more costs time and gains next to nothing


class _Rows:
    """The processes of a chunk: a row for each that there ever was, and of each cell its row and its sample."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}  # by a process's line
        self.copies: dict[tuple[bytes, int], int] = {}  # of a table's processes with the very same line
        self.stays: list[list[Any]] = []
        self.pids: list[int] = []
        self.of_cells: list[int] = []
        self.samples_of_cells: list[int] = []
        self.orders: list[tuple[int, list[int]]] = []  # of samples whose processes do not stand by pid

    def add(self, number: int, table: Table) -> None:
        """Add the processes of the sample of that number."""
        rows = self._rows(table.stays)
        self.of_cells += rows
        self.samples_of_cells += [number] * len(rows)
        pids = list(map(self.pids.__getitem__, rows))
        if not all(map(operator.lt, pids, pids[1:])):
            self._note_order(number, rows)

    def _rows(self, lines: list[bytes]) -> list[int]:
        if len(set(lines)) < len(lines):
            return self._rows_with_copies(lines)
        rows: list[Any] = list(map(self.numbers.get, lines))
        while None in rows:
            place = rows.index(None)
            rows[place] = self._new(lines[place], 0)
        return rows

    def _rows_with_copies(self, lines: list[bytes]) -> list[int]:
        rows, seen = [], dict.fromkeys(lines, 0)
        for line in lines:
            copy, seen[line] = seen[line], seen[line] + 1
            row = self.copies.get((line, copy)) if copy else self.numbers.get(line)
            rows.append(self._new(line, copy) if row is None else row)
        return rows

    def _new(self, line: bytes, copy: int) -> int:
        row = len(self.stays)
        if copy:
            self.copies[line, copy] = row
        else:
            self.numbers[line] = row
        self.stays.append(msgspec.json.decode(line))
        self.pids.append(self.stays[-1][1])
        return row

    def _note_order(self, number: int, rows: list[int]) -> None:
        by_pid = sorted(rows, key=lambda row: (self.pids[row], row))
        if by_pid != rows:
            places = {row: place for place, row in enumerate(by_pid)}
            self.orders.append((number, [places[row] for row in rows]))

    def runs(self, numbers: Sequence[int], starts: Sequence[int]) -> list[list[tuple[int, int]]]:
        """Of each row: (first sample, one past the last) of each time it was there; its cells' samples given."""
        found = []
        for start, stop in pairwise(starts):
            first, last = numbers[start], numbers[stop - 1] + 1
            whole = last - first == stop - start
            found.append([(first, last)] if whole else _runs(numbers[start:stop]))
        return found


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    runs = [(numbers[0], numbers[0] + 1)]
    for number in numbers[1:]:
        if number == runs[-1][1]:
            runs[-1] = runs[-1][0], number + 1
        else:
            runs.append((number, number + 1))
    return runs


def encode(samples: Sequence[Sample]) -> bytes:
    """The samples of one server, in the order of their time, as a chunk."""
    rows = _Rows()
    for number, sample in enumerate(samples):
        rows.add(number, sample.table)
    order = sorted(range(len(rows.of_cells)), key=rows.of_cells.__getitem__)  # by row, then by time
    counts = [0] * len(rows.stays)
    for row in rows.of_cells:
        counts[row] += 1
    starts = list(accumulate(counts, initial=0))
    head, cpu, mem, status, threads = sections = [Writer() for _ in range(5)]
    _write_samples(head, samples)
    _write_rows(head, rows, rows.runs(_gathered(rows.samples_of_cells, order), starts))
    cpu.numbers(_cells(samples, "cpu", order), starts)
    mem.numbers(_cells(samples, "mem_mb", order), starts)
    status.words(_cells(samples, "status", order), starts)
    threads.whole(_cells(samples, "threads", order), starts)
    return _joined(section.bytes for section in sections)


def _cells(samples: Sequence[Sample], column: str, order: list[int]) -> Sequence[Any]:
    values: list[Any] = []
    for sample in samples:
        values += getattr(sample.table, column)
    return _gathered(values, order)


def _gathered(values: list[Any], order: list[int]) -> Sequence[Any]:
    return operator.itemgetter(*order)(values) if len(order) > 1 else values


def _write_samples(head: Writer, samples: Sequence[Sample]) -> None:
    head.number(len(samples))
    head.whole([micros(sample.sampled_at) for sample in samples])
    head.numbers([sample.ts for sample in samples])
    head.whole([sample.total for sample in samples])


def _write_rows(head: Writer, rows: _Rows, runs: list[list[tuple[int, int]]]) -> None:
    head.number(len(rows.stays))
    columns: list[tuple[Any, ...]] = list(zip(*rows.stays, strict=True)) or [()] * len(STAYS)
    name, pid, user, cmdline, ppid, ticks = columns
    for write, values in (
        (head.words, name), (head.whole, pid), (head.words, user),
        (head.words, cmdline), (head.whole, ppid), (head.whole, ticks),
    ):  # fmt: skip
        write(values)
    head.ints(list(map(len, runs)))
    befores = [before for of_row in runs for before in (0, *(last for _, last in of_row[:-1]))]
    flat = [run for of_row in runs for run in of_row]
    head.ints([first - before for (first, _), before in zip(flat, befores, strict=True)])
    head.ints([last - first for first, last in flat])
    head.number(len(rows.orders))
    head.ints([number for number, _ in rows.orders])
    for _, order in rows.orders:
        head.ints(order)


def _joined(sections: Iterable[bytearray]) -> bytes:
    compressor = ZstdCompressor(level=LEVEL)
    frames = [compressor.compress(section) for section in sections]
    sizes = b"".join(len(frame).to_bytes(4, "little") for frame in frames)
    return VERSION + sizes + b"".join(frames)
