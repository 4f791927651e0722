"""How often a service started, stopped or came back in a window, out of what is kept of it. Pure.

Of a service that keeps dying only each doubling of its manager's count is kept as an event; what happened between two
such counts happened at an even pace, as far as is known.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from servers import service_events as events

CAME_AND_WENT: Final = (
    events.STARTED, events.STOPPED, events.RESTARTED, events.CRASHED, events.OOM_KILLED, events.FAILED,
    events.CAME_BACK,
)  # fmt: skip
ENDED: Final = (events.RESTARTED, events.CRASHED, events.OOM_KILLED)


class Happened(NamedTuple):
    """An event of one service, as far as it counts."""

    at: datetime
    kind: str
    restarts: int | None  # the manager's count, where it grew
    ran: bool  # it ran when it was listed before

    @property
    def ended(self) -> bool:
        """Whether that is one restart: of a crash and the coming back after it, the crash is."""
        return self.kind in ENDED or (self.kind == events.CAME_BACK and self.ran)


class Count(NamedTuple):
    """The manager's count of restarts at a moment."""

    at: datetime
    number: int


def restarted(happened: Sequence[Happened], counts: Sequence[Count], start: datetime) -> float:
    """Restarts, crashes and kills for want of memory since then; happened and counts in the order of time."""
    return sum(one.ended for one in happened if one.at > start) + _untold(happened, counts, start)


def flapped(happened: Sequence[Happened], counts: Sequence[Count], start: datetime) -> float:
    """Starts and stops of any kind since then; a restart that no event tells of is one of each."""
    return sum(one.kind in CAME_AND_WENT for one in happened if one.at > start) + 2 * _untold(happened, counts, start)


def _untold(happened: Sequence[Happened], counts: Sequence[Count], start: datetime) -> float:
    """Restarts since then that were counted by the manager and are no events."""
    told = [one.at for one in happened if one.ended]
    found = 0.0
    for before, after in pairwise(counts):
        between = bisect_right(told, after.at) - bisect_right(told, before.at)
        more = after.number - before.number - between
        if more > 0 and after.at > max(start, before.at):
            found += more * ((after.at - max(start, before.at)) / (after.at - before.at))
    return found
