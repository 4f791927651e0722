"""The rows of a chunk, a row for each process that was there: of them as much is decoded as is asked for."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from operator import add
from typing import Any, NamedTuple

from servers.columns import Reader, Words
from servers.proctable import STAYS


class Run(NamedTuple):
    """Samples one after the other that a process is in: its row, the first, one past the last, the first's cell."""

    row: int
    first: int
    last: int
    cell: int


class Rows:
    """The processes of a chunk, what each was, where its cells begin, and when it was there."""

    def __init__(self, head: Reader) -> None:
        self._head, self._count = head, head.number()
        self._columns = {field: head.column(self._count) for field in STAYS}

    @cached_property
    def _lasted(self) -> tuple[array[int], array[int], array[int]]:
        """How many runs each row has; of each run from where, from the end of the one before, and how long."""
        of_each = self._head.ints(self._count)
        runs = sum(of_each)
        return of_each, self._head.ints(runs), self._head.ints(runs)

    @cached_property
    def _firsts(self) -> list[int]:
        """Of each row: the number of its first run."""
        return list(accumulate(self._lasted[0], initial=0))

    @cached_property
    def _cells(self) -> list[int]:
        """Of each run: its first cell."""
        return list(accumulate(self._lasted[2], initial=0))

    @cached_property
    def starts(self) -> list[int]:
        """Of each row: its first cell."""
        return list(map(self._cells.__getitem__, self._firsts))

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
        of_each, gaps, lengths = self._lasted
        if len(gaps) == len(of_each):  # none came again: the usual
            begin, end = Counter(gaps), Counter(map(add, gaps, lengths))
        else:
            runs = [run for row in range(self._count) for run in self.runs_of(row)]
            begin, end = Counter(run.first for run in runs), Counter(run.last for run in runs)
        return list(accumulate(begin[number] - end[number] for number in range(samples)))

    def runs_of(self, row: int) -> Iterator[Run]:
        """When one row was there, in the order of time."""
        last, (_of_each, gaps, lengths) = 0, self._lasted
        for number in range(self._firsts[row], self._firsts[row + 1]):
            first = last + gaps[number]
            last = first + lengths[number]
            yield Run(row, first, last, self._cells[number])

    @cached_property
    def runs(self) -> list[Run]:
        """When all of them were, by pid, as agents send them."""
        runs = [run for row in range(self._count) for run in self.runs_of(row)]
        return sorted(runs, key=lambda run: (self.stays[run.row][1], run.row))

    def at(self, number: int) -> list[tuple[int, int]]:
        """The processes of one sample, by pid: the row of each, and its cell."""
        of_each, gaps, lengths = self._lasted
        if len(gaps) == len(of_each):  # none came again: the usual
            found = [row for row, first in enumerate(gaps) if first <= number < first + lengths[row]]
            found.sort(key=lambda row: self.stays[row][1])
            return [(row, self._cells[row] + number - gaps[row]) for row in found]
        return [(run.row, run.cell + number - run.first) for run in self.runs if run.first <= number < run.last]

    @cached_property
    def orders(self) -> dict[int, Sequence[int]]:
        """Of the samples that are not by pid: which place by pid each process in the agent's order has."""
        head, _before = self._head, self._lasted
        numbers = head.ints(head.number())
        return {number: head.ints(sum(run.first <= number < run.last for run in self.runs)) for number in numbers}
