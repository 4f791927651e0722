"""Finds agents whose clock is off, and those that are older than the one this hub hands out; with each report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from alerts.evaluate import conditions
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Aim, Seen, Stretch
from alerts.models import Standing
from pmonitor.rows import fetched
from servers import download, states
from servers.models import Server

# The skew is that of the report that took least, as clock_skew.py has it.
SKEWS = """SELECT server_id, sampled_at, skew
FROM servers_newest CROSS JOIN LATERAL (
    SELECT abs(min(value::float8)) AS skew FROM jsonb_array_elements_text(skews) AS value) AS told
WHERE server_id = ANY(%(fresh)s) AND (skew > %(least)s OR server_id = ANY(%(standing)s))"""
VERSIONS = """SELECT server_id, sampled_at, facts->>'version' FROM servers_newest
WHERE server_id = ANY(%(fresh)s) AND (facts->>'version' <> %(hub)s OR server_id = ANY(%(standing)s))"""


def off_clocks(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Agents whose clock differs from the hub's by more than the limit, ahead or behind."""
    limits = {aim.rule.pk: conditions.limit(aim.rule) for aim in aims}

    def seen(aim: Aim, server: int, at: datetime, skew: float | None) -> Seen:
        limit, clear = limits[aim.rule.pk], aim.rule.clear_limit
        level = NO_DATA if skew is None else OVER if skew > limit else UNDER
        if level == UNDER and clear is not None and skew is not None and skew > clear:
            level = BETWEEN
        return Seen(aim.rule.pk, server, "", at, level, skew, {"limit": limit})

    found = _told(SKEWS, {"least": min(limits.values())}, stretch, standings)
    return _seen(aims, stretch, standings, found, seen)


def outdated(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Agents of an older version than the hub has for its servers."""
    hub = download.agent_version()

    def seen(aim: Aim, server: int, at: datetime, version: str | None) -> Seen:
        level = NO_DATA if version is None else OVER if _number(version) < _number(hub) else UNDER
        return Seen(aim.rule.pk, server, "", at, level, None, {"version": version or "", "hub": hub})

    return _seen(aims, stretch, standings, _told(VERSIONS, {"hub": hub}, stretch, standings), seen)


def _told(statement: str, values: dict[str, Any], stretch: Stretch, standings: Sequence[Standing]) -> dict[int, Any]:
    about = {"fresh": [one.server for one in stretch.fresh], "standing": [row.server_id for row in standings]}
    return {server: (at, told) for server, at, told in fetched(statement, values | about)}


def _seen(
    aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing], found: dict[int, Any], seen: Any
) -> Iterator[Seen]:
    """What was found, rule by rule: subjects that are over, and those of which something stands."""
    standing = {(row.rule_id, row.server_id) for row in standings}
    quiet = {server for _rule, server in standing} - {one.server for one in stretch.fresh}
    silent = set(Server.objects.filter(pk__in=quiet, state=states.SILENT).values_list("pk", flat=True))
    for aim in aims:
        for server in found.keys() & set(aim.servers):
            one = seen(aim, server, *found[server])
            if one.level == OVER or (aim.rule.pk, server) in standing:
                yield one
        for server in silent:
            if (aim.rule.pk, server) in standing:
                yield seen(aim, server, stretch.until, None)


def _number(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, to compare: 0.10.0 is newer than 0.9.1."""
    begin = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in begin[0].split(".")) if begin else ()
