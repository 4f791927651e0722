"""Which lines of a process table, or hashes of them, are gone and new in the next one, without a look at each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final, TypeVar

STRETCH: Final = 64  # so many lines are compared at once
T = TypeVar("T")
Column = TypeVar("Column", list[Any], "array[int]", "array[float]")


def gone_and_new(before: Sequence[T], after: Sequence[T]) -> tuple[list[int], list[int]]:
    """The places of the lines that are not there any more, and of those that are new; what is moved is both."""
    gone: list[int] = []
    new: list[int] = []
    old_place = place = 0
    while True:
        same = _same(before, old_place, after, place)
        old_place, place = old_place + same, place + same
        if old_place == len(before):
            return gone, new + list(range(place, len(after)))
        if before[old_place] in after[place : place + STRETCH]:
            new.append(place)
            place += 1
        else:
            gone.append(old_place)
            old_place += 1


def _same(before: Sequence[T], old_place: int, after: Sequence[T], place: int) -> int:
    """How many lines are the same from there on; whole stretches are compared at once."""
    same, most = 0, min(len(before) - old_place, len(after) - place)
    while same < most:
        old, now = old_place + same, place + same
        if before[old : old + STRETCH] != after[now : now + STRETCH]:
            return same + next(
                (number for number in range(min(STRETCH, most - same)) if before[old + number] != after[now + number]),
                most - same,
            )
        same += STRETCH
    return most


def edited(values: Column, gone: Sequence[int], places: Sequence[int], new: Sequence[Any]) -> Column:
    """A list's or array's values without those that are gone, with new ones put in where they then are."""
    left = values[:]
    for place in reversed(gone):
        del left[place]
    return inserted(left, places, new)


def kept_text(text: bytes, sizes: array[int], gone: Sequence[int]) -> bytes:
    """A text of lines, each with its end and of these sizes without it, but for those at these rising places."""
    parts, begin, passed = [], 0, 0
    for place in gone:
        end = begin + _span(sizes, passed, place)
        parts.append(text[begin:end])
        begin, passed = end + _span(sizes, place, place + 1), place + 1
    return b"".join([*parts, text[begin:]])


def grown_text(text: bytes, sizes: array[int], places: Sequence[int], new: Sequence[bytes]) -> bytes:
    """A text of lines, each with its end and of these sizes without it, with new ones put in where they then are."""
    parts, begin, passed = [], 0, 0
    for already, (place, line) in enumerate(zip(places, new, strict=True)):
        before = place - already
        end = begin + _span(sizes, passed, before)
        parts += [text[begin:end], line, b"\n"]
        begin, passed = end, before
    return b"".join([*parts, text[begin:]])


def last_lines(text: bytes, sizes: array[int], count: int) -> bytes:
    """So many lines at the end of such a text, without the end of the last; all, where there are no more."""
    return text[_span(sizes, 0, max(0, len(sizes) - count)) : -1]


def line_at(text: bytes, sizes: array[int], place: int) -> bytes:
    """The line at a place of such a text."""
    begin = _span(sizes, 0, place)
    return text[begin : begin + sizes[place]]


def _span(sizes: array[int], first: int, stop: int) -> int:
    """The bytes of these lines, with their ends."""
    return sum(sizes[first:stop]) + stop - first


def without(values: Sequence[T], places: Sequence[int]) -> list[T]:
    """The values but those at these rising places."""
    left = list(values)
    for place in reversed(places):
        del left[place]
    return left


def inserted(values: Column, places: Sequence[int], new: Sequence[Any]) -> Column:
    """The values with new ones put in, at the rising places where they then are."""
    for place, value in zip(places, new, strict=True):
        values.insert(place, value)
    return values
