"""What a rule would have made of the past: the machine of the rounds, over what is kept of it.

Nothing is written. What history does not keep by sample cannot be told: then there is no answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

from alerts.evaluate import (
    conditions,
    machine,
    replay_clocks,
    replay_disks,
    replay_events,
    replay_inactive,
    replay_processes,
    replay_readings,
)
from alerts.evaluate.found import OVER, Seen
from alerts.evaluate.machine import Conditions, Stood
from alerts.models import Rule
from alerts.rules import kinds
from servers.models import HubAbsence

Of = TypeVar("Of", int, str)
# (rule, servers, start, end) -> in the order of each subject's time, at least the samples that are not simply well,
# and enough after those to end what they began; with the conditions of the level of history that they come from.
Past = Callable[[Rule, Sequence[int], datetime, datetime], Iterable[tuple[Conditions, Seen]]]
PASTS: dict[str, Past] = {
    kinds.READING: replay_readings.past,
    kinds.SILENT: replay_events.silent,
    kinds.REBOOTED: replay_events.rebooted,
    kinds.DISK_USED: replay_disks.past,
    kinds.DISK_FILLING: replay_disks.past,
    kinds.COMMAND_FAILED: replay_events.failed_commands_of,
    kinds.SKEW: replay_clocks.past,
    kinds.INACTIVE: replay_inactive.past,
    kinds.FAILED: replay_events.failed_services,
    kinds.FLAPPING: replay_events.flapping_services,
    kinds.RESTARTED: replay_events.restarted_services,
}

# (rule, server, start, end, in which phase the server is by now, None: it is well) -> as a Past, of a server by itself
PastOfServer = Callable[[Rule, int, datetime, datetime, Callable[[], str | None]], Iterable[tuple[Conditions, Seen]]]
PASTS_OF_SERVERS: dict[str, PastOfServer] = dict.fromkeys(
    (kinds.MISSING, kinds.TOO_MANY, kinds.RESTARTING, kinds.PROCESS_CPU, kinds.PROCESS_MEMORY), replay_processes.past
)
# From when on there is a past of the kind, where that is later than what preview.py looks at.
SINCE: dict[str, Callable[[], datetime]] = {
    kinds.SKEW: replay_clocks.since,
    **dict.fromkeys(PASTS_OF_SERVERS, replay_processes.since),
}


class Episode(NamedTuple):
    """An incident that there would have been; value is that of its opening, closed_at None: it would be open still."""

    server: int
    subject: str
    began_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    value: float | None


def longest(episodes: Iterable[Episode], end: datetime, by: Callable[[Episode], Of]) -> Of | None:
    """Which server, or subject, would have been open for longest, all its episodes together; one at least a second."""
    spent: dict[Of, float] = defaultdict(float)
    for one in episodes:
        spent[by(one)] += 1 + ((one.closed_at or end) - one.opened_at).total_seconds()
    return max(spent, key=lambda of: spent[of]) if spent else None


class Replayed(NamedTuple):
    """The incidents, by when they open, and the servers that were looked at: the first ones."""

    episodes: list[Episode]
    looked_at: list[int]


def replay(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> list[Episode] | None:
    """The incidents of a rule, which need not be saved, in a stretch of time, by when they open.

    None: of this kind history does not tell. Raises msgspec.ValidationError of a rule that cannot be understood.
    """
    found = replay_until(rule, servers, start, end, lambda: False)
    return found and found.episodes


def replay_until(
    rule: Rule, servers: Sequence[int], start: datetime, end: datetime, enough: Callable[[], bool]
) -> Replayed | None:
    """As replay; where each server is much to look at, no other one is begun once it is enough, but the first is."""
    conditions.of(rule)
    absences = list(HubAbsence.objects.filter(end__gt=start, start__lt=end).order_by("end"))
    past, looked_at = _Past(absences), list(servers)
    if rule.kind in PASTS:
        for watched, seen in PASTS[rule.kind](rule, servers, start, end):
            past.see(watched, seen)
    elif rule.kind in PASTS_OF_SERVERS and replay_processes.can_tell(rule):
        looked_at = past.see_servers(rule, servers, start, end, enough)
    else:
        return None
    return Replayed(sorted(past.episodes, key=lambda one: (one.opened_at, one.server, one.subject)), looked_at)


class _Past:
    """What stands of each subject as its samples pass, and what came of it."""

    def __init__(self, absences: Sequence[HubAbsence]) -> None:
        self.episodes: list[Episode] = []
        self._stood: dict[tuple[int, str], Stood] = {}
        self._open: dict[tuple[int, str], int] = {}
        self._starts, self._ends = [one.start for one in absences], [one.end for one in absences]

    def see_servers(
        self, rule: Rule, servers: Sequence[int], start: datetime, end: datetime, enough: Callable[[], bool]
    ) -> list[int]:
        """One after the other; which of them."""
        looked_at: list[int] = []
        for server in servers:
            if looked_at and enough():
                break
            for watched, seen in PASTS_OF_SERVERS[rule.kind](rule, server, start, end, partial(self._phase, server)):
                self.see(watched, seen)
            looked_at.append(server)
        return looked_at

    def see(self, watched: Conditions, seen: Seen) -> None:
        key = (seen.server, seen.subject)
        before = self._stood.get(key)
        if before is None and seen.level != OVER:
            return
        if self._ends:
            if self._in_absence(seen.at):
                return
            before = self._uninterrupted(before, seen.at)
        now, event = machine.step(watched, before, seen)
        if now is None:
            self._stood.pop(key, None)
        else:
            self._stood[key] = now
        if event is not None:
            self._tell(key, event)

    def _tell(self, key: tuple[int, str], event: machine.Event) -> None:
        if event.kind == machine.OPENS:
            self._open[key] = len(self.episodes)
            self.episodes.append(Episode(*key, event.since, event.at, None, event.value))
        elif event.kind in (machine.CLEARS, machine.GONE):
            number = self._open.pop(key)
            self.episodes[number] = self.episodes[number]._replace(closed_at=event.at)

    def _phase(self, server: int) -> str | None:
        stood = self._stood.get((server, ""))
        return stood and stood.phase

    def _in_absence(self, at: datetime) -> bool:
        later = bisect_right(self._ends, at)
        return later < len(self._ends) and self._starts[later] < at

    def _uninterrupted(self, stood: Stood | None, at: datetime) -> Stood | None:
        if stood is not None and bisect_right(self._ends, stood.at) < bisect_right(self._ends, at):
            return machine.interrupted(stood)
        return stood
