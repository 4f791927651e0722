"""A packed process table looked through as bytes: only the lines that may be meant are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import Any, Final

import msgspec

from servers.proctable import MOVES, text_of
from servers.wire import Proc

CPU, MEM = 0, 1  # places in MOVES
_decoder: Final = msgspec.json.Decoder(list[Any])


class Stays(msgspec.Struct, array_like=True, gc=False):
    """What stays the same while a process lives; proctable.STAYS."""

    name: str
    pid: int
    user: str
    cmdline: str
    ppid: int | None
    start_ticks: int | None


_stays: Final = msgspec.json.Decoder(Stays)


class Lines:
    """The lines of one table; places are those of the processes in it."""

    def __init__(self, data: bytes) -> None:
        self._text = text_of(data) if data else b""
        self._ascii = self._text.isascii()
        end = len(self._text)
        for _ in range(len(MOVES) + 1):
            end = self._text.rfind(b"\n", 0, max(end, 0))
        self._end = max(end, 0)  # of the last process's line
        self._columns: dict[int, list[Any]] = {}
        self._firsts: dict[bytes, int] = {}

    @cached_property
    def _folded(self) -> bytes:
        return self._text.lower() if self._ascii else self._text.decode().casefold().encode()

    @cached_property
    def _moves(self) -> list[bytes]:
        return self._text[self._end :].strip().split(b"\n")

    def mention(self, anchors: Iterable[bytes]) -> bool:
        """Whether one of these is somewhere, letters being casefolded."""
        return any(self._first(anchor) >= 0 for anchor in anchors)

    def with_any(self, anchors: Iterable[bytes]) -> Iterator[tuple[int, list[Any]]]:
        """At least the processes whose line has one of these in it: the place, and the values of STAYS."""
        if not self._ascii:  # what is folded may be longer, so that places are other ones
            yield from self.every()
            return
        spans = {span for anchor in anchors for span in self._spans(anchor)}
        place, last = 0, 0
        for start, end in sorted(spans):
            place += self._text.count(b"\n", last, start)
            last = start
            yield place, _decoder.decode(self._text[start:end])

    def every(self) -> Iterator[tuple[int, list[Any]]]:
        """All processes."""
        yield from enumerate(_decoder.decode_lines(self._text[: self._end]))

    def all_stays(self) -> list[Stays]:
        """All processes as they stay, in their order: quicker than `every`."""
        return _stays.decode_lines(self._text[: self._end])

    def moves(self, place: int, which: int) -> Any:
        """The value of one of MOVES of a process."""
        return self.column(which)[place]

    def column(self, which: int) -> list[Any]:
        """The values of one of MOVES, of all processes in their order."""
        if which not in self._columns:
            self._columns[which] = _decoder.decode(self._moves[which])
        return self._columns[which]

    def later(self, place: int, stays: list[Any]) -> Callable[[], Proc]:
        """How a process is made, out of its STAYS; it does not hold the text of all of them."""
        return partial(_made, stays, self.moves(place, CPU), self.moves(place, MEM), self._moves[MEM + 1 :], place)

    def _first(self, anchor: bytes) -> int:
        """Where it is for the first time; below 0 where it is not."""
        if anchor not in self._firsts:
            self._firsts[anchor] = self._folded.find(anchor)
        return self._firsts[anchor]

    def _spans(self, anchor: bytes) -> Iterator[tuple[int, int]]:
        at = self._first(anchor)
        while 0 <= at < self._end:
            end = self._text.find(b"\n", at)
            yield self._text.rfind(b"\n", 0, at) + 1, end
            at = self._folded.find(anchor, end, self._end)


def _made(stays: list[Any], cpu: float | None, mem: float, others: list[bytes], place: int) -> Proc:
    name, pid, user, cmdline, ppid, ticks = stays
    status, threads = (_decoder.decode(line)[place] for line in others)
    return Proc(name, pid, cpu, mem, status, user, cmdline, ppid, threads, ticks)
