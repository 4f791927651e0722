"""How often a process was replaced: one went, and another that began later came, in the same sample or a later one.

What a rule last saw of a server is kept, so that a restart of the hub forgets nothing. It is told by samples: of
several replacements between two samples one is seen, and what was replaced while nobody looked counts once. Of a
server with more than 500 processes, one that drops out of its table counts as gone. A boot replaces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from alerts.evaluate.models import Succession
from servers.process_lines import Stays

MOST: Final = 1_000  # times that are remembered
CHANGES: Final = ("version", "at", "boot", "there", "newest", "vacant", "replaced")
Identity = tuple[int, int | None]  # pid and start ticks


class Successions:
    """Those of some rules; what changed is written at the end."""

    def __init__(self, rules: Iterable[int], servers: Sequence[int]) -> None:
        kept = (
            Succession.objects.filter(rule__in=list(rules), server__in=servers) if rules else Succession.objects.none()
        )
        self._kept = {(one.rule_id, one.server_id): one for one in kept}
        self._changed: list[Succession] = []

    def look(
        self, rule: int, version: int, server: int, at: datetime, boot: str, procs: Sequence[Stays], window: int
    ) -> int:
        """How often a process of these was replaced within so many seconds before `at`, now that these are there."""
        there = [(proc.pid, proc.start_ticks) for proc in procs]
        one = self._kept.get((rule, server))
        if one is None or (one.version, one.boot) != (version, boot):
            replaced = one.replaced if one and one.version == version else []
            one = Succession(
                pk=one.pk if one else None, rule_id=rule, server_id=server, version=version, at=at, boot=boot
            )
            one.there, one.newest, one.replaced = [*map(list, there)], _newest(there, -1), replaced
            self._note(one)
        elif one.at < at and {(pid, ticks) for pid, ticks in one.there} != set(there):
            _succeed(one, at, there, window)
            self._note(one)
        return sum(1 for moment in one.replaced if moment > at.timestamp() - window)

    def save(self) -> None:
        """Write what changed."""
        Succession.objects.bulk_create(
            self._changed, update_conflicts=True, unique_fields=["rule", "server"], update_fields=list(CHANGES)
        )

    def _note(self, one: Succession) -> None:
        self._kept[one.rule_id, one.server_id] = one
        self._changed.append(one)


def _succeed(one: Succession, at: datetime, there: Sequence[Identity], window: int) -> None:
    before = {(pid, ticks) for pid, ticks in one.there}
    new = [who for who in there if who not in before and (who[1] is None or who[1] > one.newest)]
    vacant = one.vacant + len(before - set(there))
    taken = min(len(new), vacant)
    moments = [*one.replaced, *[at.timestamp()] * taken]
    one.replaced = [moment for moment in moments if moment > at.timestamp() - window][-MOST:]
    one.at, one.there, one.newest, one.vacant = at, [*map(list, there)], _newest(there, one.newest), vacant - taken


def _newest(there: Sequence[Identity], least: int) -> int:
    return max((ticks for _pid, ticks in there if ticks is not None), default=least) if there else least
