"""How often a process was replaced: one went, and another that began later came, in the same sample or a later one.

What a rule last saw of a server is kept, so that a restart of the hub forgets nothing. It is told by samples: of
several replacements between two samples one is seen, and what was replaced while nobody looked counts once. Of a
server with more than 500 processes, one that drops out of its table counts as gone. A boot replaces nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from alerts.evaluate.remembered import Succession
from alerts.models import Rule
from pmonitor.rows import fetched

MOST: Final = 1_000  # times that are remembered
CHANGES: Final = ("version", "at", "boot", "there", "mark", "newest", "vacant", "replaced")
KEPT: Final = """SELECT rule_id, server_id, version, boot, mark, at, there, newest, vacant, replaced
    FROM alerts_succession WHERE rule_id = ANY(%s) AND server_id = ANY(%s)"""
Identity = tuple[int, int | None]  # pid and start ticks


class Look(NamedTuple):
    """The processes a rule means in a sample of a server."""

    rule: Rule
    server: int
    at: datetime
    boot: str
    there: tuple[Identity, ...]
    window: int  # seconds

    @property
    def mark(self) -> int:
        """Of the same processes the same one."""
        return hash(tuple((pid, -1 if ticks is None else ticks) for pid, ticks in self.there))


class Line(NamedTuple):
    """The processes a rule means on a server, and what became of those before them."""

    boot: str
    there: Sequence[Identity]
    newest: int  # the latest start ticks there were
    vacant: int = 0  # that went, and nobody came since
    replaced: list[float] = []  # when one was


class Kept(NamedTuple):
    """A succession as it is in the database, its JSON as text: most of it is not looked at."""

    version: int
    boot: str
    mark: int
    at: datetime
    there: str
    newest: int
    vacant: int
    replaced: str

    @property
    def moments(self) -> list[float]:
        """When one was replaced."""
        return [] if self.replaced == "[]" else msgspec.json.decode(self.replaced, type=list[float])

    def says_the_same(self, look: Look) -> bool:
        """Whether nothing is other than it was."""
        return (self.version, self.boot, self.mark) == (look.rule.version, look.boot, look.mark)


class Successions:
    """Those of some rules on some servers; what changed is written at the end."""

    def __init__(self, rules: Collection[int], servers: Sequence[int]) -> None:
        rows = fetched(KEPT, [list(rules), list(servers)]) if rules else []
        self._kept = {(row[0], row[1]): Kept(*row[2:]) for row in rows}
        self._changed: list[Succession] = []

    def times(self, look: Look) -> int:
        """How often one of these processes was replaced within the window, now that these are there."""
        kept = self._kept.get((look.rule.pk, look.server))
        if kept and (kept.says_the_same(look) or kept.at >= look.at):
            replaced = kept.moments
        else:
            one = _next(look, kept)
            self._changed.append(one)
            replaced = one.replaced
        return within(replaced, look.at.timestamp(), look.window)

    def save(self) -> None:
        """Write what changed."""
        Succession.objects.bulk_create(
            self._changed, update_conflicts=True, unique_fields=["rule", "server"], update_fields=list(CHANGES)
        )


def _next(look: Look, kept: Kept | None) -> Succession:
    before = None
    if kept is not None and kept.version == look.rule.version:
        there = msgspec.json.decode(kept.there, type=list[Identity])
        before = Line(kept.boot, there, kept.newest, kept.vacant, kept.moments)
    now = followed(before, look.boot, look.there, look.at.timestamp(), look.window)
    facts: dict[str, Any] = {"version": look.rule.version, "at": look.at, "mark": look.mark, **now._asdict()}
    return Succession(rule_id=look.rule.pk, server_id=look.server, **facts)


def followed(before: Line | None, boot: str, there: Sequence[Identity], at: float, window: int) -> Line:
    """The line now that these processes are there; at: seconds since 1970; window: of the rule, in seconds.

    What was replaced before the window is forgotten.
    """
    newest = max((ticks for _pid, ticks in there if ticks is not None), default=-1)
    if before is None:
        return Line(boot, there, newest)
    if before.boot != boot:
        return Line(boot, there, newest, 0, before.replaced)
    were = set(before.there)
    new = [who for who in there if who not in were and (who[1] is None or who[1] > before.newest)]
    vacant = before.vacant + len(were.difference(there))
    taken = min(len(new), vacant)
    replaced = [moment for moment in [*before.replaced, *[at] * taken] if moment > at - window][-MOST:]
    return Line(boot, there, max(before.newest, newest), vacant - taken, replaced)


def within(replaced: Sequence[float], at: float, window: int) -> int:
    """How many of these moments fall into the window up to then."""
    return sum(1 for moment in replaced if moment > at - window)
