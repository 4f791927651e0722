"""The dashboard's totals: the servers of a scope counted by state and group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Min, QuerySet

from servers import standing, states
from servers.fleet import TOTALS, Total
from servers.models import Server
from servers.standing import RANKS, SHOWN


class Group(NamedTuple):
    """A server group in the rail: its worst state and its number of servers."""

    id: int
    name: str
    glyph: str
    word: str
    servers: int


class Totals(NamedTuple):
    """The whole fleet in scope, counted."""

    standing: dict[str, int]  # of standing.SHOWN: how many servers
    silent_since: datetime | None  # the last report of the server silent for longest
    groups: list[Group]  # the worst first
    more: list[Total]  # what other apps count

    @property
    def servers(self) -> int:
        """All of them."""
        return sum(self.standing.values())

    @property
    def attention(self) -> int:
        """Servers that need a person."""
        return sum(self.standing[name] for name in standing.ATTENTION)

    @property
    def up_share(self) -> float | None:
        """Percent of all."""
        return 100 * self.standing[states.UP] / self.servers if self.servers else None


def totals(servers: QuerySet[Server]) -> Totals:
    """Count the servers by standing and group: one query, and one for each cell other apps add."""
    counted = list(
        servers.annotate(standing=standing.standing())
        .order_by()
        .values("group", "group__name", "standing")
        .annotate(servers=Count("pk"), since=Min("newest__received_at"))
    )
    by_standing = dict.fromkeys(SHOWN, 0)
    for part in counted:
        by_standing[part["standing"]] += part["servers"]
    silent = [part["since"] for part in counted if part["standing"] == states.SILENT and part["since"]]
    return Totals(by_standing, min(silent, default=None), _groups(counted), [count(servers) for count in TOTALS])


def _groups(counted: Sequence[Mapping[str, Any]]) -> list[Group]:
    """Each group once, with the worst that a server of it stands at."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for part in counted:
        if part["group"] is not None:
            found.setdefault(part["group"], []).append(part)
    grouped = [(max((part["standing"] for part in parts), key=RANKS.__getitem__), parts) for parts in found.values()]
    grouped.sort(key=lambda pair: (-RANKS[pair[0]], pair[1][0]["group__name"].lower()))
    return [
        Group(
            parts[0]["group"],
            parts[0]["group__name"],
            SHOWN[worst][0],
            str(SHOWN[worst][1]),
            sum(part["servers"] for part in parts),
        )
        for worst, parts in grouped
    ]
