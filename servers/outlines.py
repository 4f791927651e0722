"""What is remembered of each server's newest raw process table, which the next is a change of, as stored or as told.

An outline is a seventh of its table, and tells place by place what is other in the next one. It is known again by the
raw row that its table is stored in: where another web process stored that one, or this process is new, it has to be
made of the table as the database has it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime
from sys import intern
from typing import Final, NamedTuple

from servers.proctable import Table

UNKNOWN: Final = -1.0  # in columns of numbers, which are 0 and more
MOST_REMEMBERED: Final = 10_000  # servers; of 500 processes that is some 30 KB


class Base(NamedTuple):
    """The raw row that a change builds on, by the rest of its key."""

    sampled_at: datetime
    ts: float


class Outline(NamedTuple):
    """A table in short, in its order."""

    lines: array[int]  # of each process's line the hash, of 64 bits and keyed anew in each process of Python
    sizes: array[int]  # and how many bytes it has without its end
    cpu: array[float]
    mem_mb: array[float]
    status: list[str]
    threads: list[int | None]


class Known(NamedTuple):
    """A raw row's table: packed whole (proctable.pack_table), and in short."""

    base: Base
    whole: bytes
    outline: Outline


def outline_of(table: Table) -> Outline:
    """The table in short."""
    status = list(map(intern, table.status))  # else each is a text of its own
    numbers = numbers_of(table.cpu), numbers_of(table.mem_mb)
    hashes, sizes = array("q", map(hash, table.stays)), array("I", map(len, table.stays))
    return Outline(hashes, sizes, *numbers, status, table.threads)


def busiest(outline: Outline) -> int:
    """The place of the process with the most CPU, the first of several; 0 where none has any."""
    most = max(outline.cpu, default=0.0)
    return outline.cpu.index(most) if most > 0 else 0


def number(told: float) -> float | None:
    """A number of an outline as it is in the table."""
    return None if told == UNKNOWN else told


def numbers_of(values: Sequence[float | None]) -> array[float]:
    """A column of numbers as an outline has it."""
    try:
        return array("d", values)  # type: ignore[arg-type]  # mostly all are known
    except TypeError:
        return array("d", [UNKNOWN if value is None else value for value in values])


class Remembered:
    """The tables that this process remembers: of each server the newest, of which the row was committed."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}

    def of(self, server_id: int, base: Base) -> Known | None:
        """The table of that row; None when it is not known here."""
        known = self._known.get(server_id)
        return known if known and known.base == base else None

    def told(self, server_id: int, ts: float) -> Known | None:
        """The table of the report of that ts; None when it is not known here."""
        known = self._known.get(server_id)
        return known if known and known.base.ts == ts else None

    def remember(self, server_id: int, known: Known) -> None:
        """From now on this is the server's newest."""
        if len(self._known) >= MOST_REMEMBERED and server_id not in self._known:
            self._known.clear()
        self._known[server_id] = known
