"""The dashboard's totals: the servers of a scope counted by state and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet

from servers import states
from servers.fleet import RANKS, SHOWN, TOTALS, Total
from servers.models import Server


class Group(NamedTuple):
    """A server group in the rail: its worst state and its number of servers."""

    id: int
    name: str
    glyph: str
    word: str
    servers: int


class Totals(NamedTuple):
    """The whole fleet in scope, counted."""

    servers: int
    up: int
    silent: int
    waiting: int
    silent_since: datetime | None  # the last report of the server silent for longest
    groups: list[Group]  # the worst first
    more: list[Total]  # what other apps count

    @property
    def attention(self) -> int:
        """Servers that need a person."""
        return self.silent + self.waiting

    @property
    def up_share(self) -> float | None:
        """Percent of all."""
        return 100 * self.up / self.servers if self.servers else None


def totals(servers: QuerySet[Server]) -> Totals:
    """Count the servers by state and group: one query, and one for each cell other apps add."""
    counted = list(
        servers.order_by()
        .values("group", "group__name")
        .annotate(
            servers=Count("pk"),
            up=Count("pk", filter=Q(state=states.UP)),
            silent=Count("pk", filter=Q(state=states.SILENT)),
            waiting=Count("pk", filter=Q(state=states.WAITING)),
            since=Min("newest__received_at", filter=Q(state=states.SILENT)),
        )
    )
    servers_in_all, up, silent, waiting = (
        sum(part[name] for part in counted) for name in ("servers", "up", "silent", "waiting")
    )
    since = min((part["since"] for part in counted if part["since"]), default=None)
    return Totals(servers_in_all, up, silent, waiting, since, _groups(counted), [count(servers) for count in TOTALS])


def _groups(counted: Sequence[Mapping[str, Any]]) -> list[Group]:
    grouped = [(_worst(part), part) for part in counted if part["group"] is not None]
    grouped.sort(key=lambda pair: (-RANKS[pair[0]], pair[1]["group__name"].lower()))
    return [
        Group(part["group"], part["group__name"], SHOWN[state][0], str(SHOWN[state][1]), part["servers"])
        for state, part in grouped
    ]


def _worst(part: Mapping[str, Any]) -> str:
    return next(state for state in sorted(RANKS, key=RANKS.__getitem__, reverse=True) if part[state])
