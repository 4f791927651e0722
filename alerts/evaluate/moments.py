"""Kinds that are about a moment: over from when something happened until so long after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from alerts.evaluate.found import OVER, UNDER, Stretch

Levels = Iterator[tuple[datetime, str]]


def levels(moments: Sequence[datetime], within_sec: float, stretch: Stretch) -> Levels:
    """When something happened, as levels: over at each moment and still at the stretch's end, under when it is over.

    What was over before the stretch is left out: the round before told it.
    """
    for those, end in _merged(sorted(moments), timedelta(seconds=within_sec)):
        if end <= stretch.after:
            continue
        yield from ((moment, OVER) for moment in those if moment <= stretch.until)
        yield (end, UNDER) if end <= stretch.until else (stretch.until, OVER)


def or_well(found: Iterable[tuple[datetime, str]], until: datetime) -> Levels:
    """The same of a subject of which something stands: well where nothing happened that counts still."""
    some = list(found)
    yield from some or [(until, UNDER)]


def _merged(moments: Sequence[datetime], within: timedelta) -> list[tuple[list[datetime], datetime]]:
    """Moments of which each falls into the time that the one before holds for, and when the last one's is over."""
    merged: list[tuple[list[datetime], datetime]] = []
    for moment in moments:
        if merged and moment <= merged[-1][1]:
            those = [*merged[-1][0], moment]
            merged[-1] = (those, moment + within)
        else:
            merged.append(([moment], moment + within))
    return merged
