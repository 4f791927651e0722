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
