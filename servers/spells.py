"""A server's states over a stretch of time, out of what was recorded of it. Pure: no database, no clock.

What was heard counts most: a minute with a sample, also one that an agent sent later, is up, whatever was believed
then. Else the hub's own absence: what it did not see, it does not know. Else the state as it was recorded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from servers.states import SILENT, UP

UNKNOWN, REBOOTED = "unknown", "rebooted"
MINUTE = timedelta(minutes=1)
NEAR = 1.5 * MINUTE  # minutes know their ends only so well


class Change(NamedTuple):
    """From when on a server was in a state."""

    at: datetime
    state: str


class Away(NamedTuple):
    """An absence of the hub, and why."""

    start: datetime
    end: datetime
    why: str


class Spell(NamedTuple):
    """A stretch in one state; why: of an unknown one, the hub's reason, empty where nothing was recorded."""

    start: datetime
    end: datetime
    state: str
    why: str = ""

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.end - self.start).total_seconds()


def spells(changes: Iterable[Change], away: Iterable[Away], start: datetime, end: datetime) -> list[Spell]:
    """The stretch without a gap, oldest first; changes in the order they were recorded, absences by their start."""
    known, gone = _in_order(changes), _apart(away)
    marks = {start, end, *(change.at for change in known), *(moment for one in gone for moment in one[:2])}
    cuts = [start, *sorted(moment for moment in marks if start < moment < end), end]
    return _joined(_as_known(known, gone, *part) for part in pairwise(cuts))


def unseen(found: Iterable[Spell]) -> list[Spell]:
    """Those that later reports may still fill."""
    return [spell for spell in found if spell.state != UP]


def filled(found: Iterable[Spell], heard: Sequence[tuple[datetime, datetime]]) -> list[Spell]:
    """The same with what was heard of later: runs of whole minutes with a sample, in order, that do not overlap."""
    return _joined(part for spell in found for part in ([spell] if spell.state == UP else _fill(spell, heard)))


def shares(found: Sequence[Spell]) -> dict[str, float]:
    """Percent of the whole by state, to a tenth, 100 in all; what there is has a tenth, so the rest never has all."""
    whole = sum(spell.seconds for spell in found)
    if whole <= 0:
        return {}
    exact = {state: 100 * seconds / whole for state in (UP, SILENT, UNKNOWN) if (seconds := lasting(found, state))}
    most = max(exact, key=exact.__getitem__)
    others = {state: max(0.1, round(share, 1)) for state, share in exact.items() if state != most}
    return {state: others.get(state, round(100 - sum(others.values()), 1)) for state in exact}


def lasting(found: Iterable[Spell], state: str, *, seen: bool | None = None) -> float:
    """Seconds in a state; seen: only where the hub was there, or (False) only where it was away."""
    return sum(one.seconds for one in found if one.state == state and (seen is None or bool(one.why) is not seen))


def _in_order(changes: Iterable[Change]) -> list[Change]:
    """What was recorded later holds: after a clock was set back, an earlier record may be of a later time."""
    known: list[Change] = []
    for change in changes:
        while known and known[-1].at >= change.at:
            known.pop()
        known.append(change)
    return known


def _apart(away: Iterable[Away]) -> list[Away]:
    """Absences that do not overlap."""
    gone: list[Away] = []
    for one in sorted(away):
        start = max(one.start, gone[-1].end) if gone else one.start
        if start < one.end:
            gone.append(one._replace(start=start))
    return gone


def _as_known(known: list[Change], gone: list[Away], start: datetime, end: datetime) -> Spell:
    place = bisect_right(gone, start, key=lambda one: one.start)
    if place and gone[place - 1].end > start:
        return Spell(start, end, UNKNOWN, gone[place - 1].why)
    place = bisect_right(known, start, key=lambda change: change.at)
    return Spell(start, end, known[place - 1].state if place else UNKNOWN)


def _joined(parts: Iterable[Spell]) -> list[Spell]:
    found: list[Spell] = []
    for part in parts:
        if part.start >= part.end:
            continue
        if found and found[-1][2:] == part[2:] and found[-1].end == part.start:
            found[-1] = found[-1]._replace(end=part.end)
        else:
            found.append(part)
    return found


def _fill(spell: Spell, heard: Sequence[tuple[datetime, datetime]]) -> list[Spell]:
    """A spell, up where something was heard; close to its ends that counts to the end."""
    parts, at = [], spell.start
    near = min(NEAR, (spell.end - spell.start) / 4)  # of a short one not all is close to an end
    for start, end in heard:
        if end <= spell.start or start >= spell.end:
            continue
        start = spell.start if start - spell.start < near else start
        end = spell.end if spell.end - end < near else end
        parts += [spell._replace(start=at, end=start), Spell(max(at, start), end, UP)]
        at = end
    return [*parts, spell._replace(start=at)]
