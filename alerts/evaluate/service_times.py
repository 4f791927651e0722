"""Finds services that keep starting and stopping, and those that were restarted so many times within a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from alerts.evaluate.found import OVER, Aim, Finder, Seen, Stretch
from alerts.evaluate.limits import REACHED, level_of
from alerts.evaluate.service_counts import CAME_AND_WENT, Count, Happened, flapped, restarted
from alerts.evaluate.service_hosts import Round
from alerts.models import Standing
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import history

LOOPS: Final = 3  # restarts from which on not each is an event; see servers/service_events.py
ACTIVE = f"""SELECT DISTINCT server_id, name FROM {history.EVENTS}
    WHERE server_id = ANY(%(servers)s) AND at > %(start)s AND name <> '' AND kind = ANY(%(kinds)s)
    UNION SELECT server_id, name FROM servers_service
    WHERE server_id = ANY(%(servers)s) AND n_restarts >= %(loops)s AND since > %(start)s"""  # noqa: S608
ONES = "unnest(%(servers)s::bigint[], %(names)s::text[]) AS one (server, name)"
EVENTS = f"""SELECT one.server, one.name, e.at, e.kind, (e.facts->>'restarts')::int, e.facts ? 'pidBefore'
    FROM {ONES} JOIN {history.EVENTS} e ON e.server_id = one.server AND e.name = one.name
    WHERE e.at > %(start)s AND e.kind = ANY(%(kinds)s) ORDER BY e.at, e.kind"""  # noqa: S608
# The manager's count as last listed, and as the last event before the window tells it.
COUNTS = f"""SELECT one.server, one.name, before.at, before.restarts, s.n_restarts
    FROM {ONES} LEFT JOIN servers_service s ON s.server_id = one.server AND s.name = one.name
    LEFT JOIN LATERAL (SELECT e.at, (e.facts->>'restarts')::int AS restarts FROM {history.EVENTS} e
        WHERE e.server_id = one.server AND e.name = one.name AND e.at <= %(start)s AND e.facts ? 'restarts'
        ORDER BY e.at DESC LIMIT 1) before ON true"""  # noqa: S608
Unit = tuple[int, str]


class Life(NamedTuple):
    """What is kept of a service since the longest window began."""

    happened: list[Happened]
    counts: list[Count]


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    """A finder of the kinds in FINDERS."""
    params = [msgspec.convert(aim.rule.params, kinds.Often) for aim in aims]
    around = Round(aims, [one.service for one in params], stretch, standings)
    yield from around.unknown()
    for (server, name), life in _lives(around, [one.within_sec for one in params]).items():
        for number, aim in around.aims_at(server, name):
            within = params[number].within_sec
            since = around.hosts[server].at - timedelta(seconds=within)
            times = int(COUNTED[aim.rule.kind](life.happened, life.counts, since))
            yield from _told(around, aim, server, name, times, {"limit": aim.rule.limit, "withinSec": within})


def find_together(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    """A finder of process_restarting by service: of all services that are meant, one subject a server."""
    params = [msgspec.convert(aim.rule.params, kinds.Restarting) for aim in aims]
    around = Round(aims, [one.pattern for one in params], stretch, standings)
    yield from around.unknown()
    times: dict[tuple[int, int], float] = {
        (number, server): 0.0
        for number, aim in enumerate(aims)
        for rule, server, _subject in around.stood
        if rule == aim.rule.pk and server in around.hosts and not around.hosts[server].unknown
    }
    for (server, name), life in _lives(around, [one.within_sec for one in params]).items():
        for number, _aim in around.aims_at(server, name):
            since = around.hosts[server].at - timedelta(seconds=params[number].within_sec)
            more = restarted(life.happened, life.counts, since)
            times[number, server] = times.get((number, server), 0.0) + more
    for (number, server), found in times.items():
        one, aim = params[number], aims[number]
        facts = {"by": one.by, "pattern": one.pattern, "limit": aim.rule.limit, "withinSec": one.within_sec}
        yield from _told(around, aim, server, "", int(found), facts)


def _told(around: Round, aim: Aim, server: int, subject: str, times: int, facts: dict[str, Any]) -> Iterator[Seen]:
    level, who = level_of(aim.rule, times, REACHED), (aim.rule.pk, server, subject)
    if around.is_new(*who) and (level == OVER or around.stands(*who)):
        yield Seen(aim.rule.pk, server, subject, around.hosts[server].at, level, times, facts)


def _lives(around: Round, windows: Iterable[int]) -> dict[Unit, Life]:
    """Of services that something happened to, and those of which something stands."""
    start = around.until - timedelta(seconds=max(windows, default=0))
    about = {"start": start, "kinds": list(CAME_AND_WENT), "loops": LOOPS}
    active = fetched(ACTIVE, about | {"servers": sorted({*around.listed, *_as_wholes(around)})})
    meant = {(server, name) for server, name in active if next(around.aims_at(server, name), None)}
    units = sorted(meant.union(around.standing_units()))
    if not units:
        return {}
    servers, names = map(list, zip(*units, strict=True))
    about |= {"servers": servers, "names": names}
    found = {unit: Life([], []) for unit in units}
    for server, name, *event in fetched(EVENTS, about):
        found[server, name].happened.append(Happened(*event))
    for server, name, at, number, now in fetched(COUNTS, about):
        life = found[server, name]
        life.counts.extend(_counts(life.happened, at, number, now, around.hosts[server].services_at))
    return found


def _as_wholes(around: Round) -> set[int]:
    """Servers of which something stands that is about many services."""
    stood = {server for _rule, server, subject in around.stood if not subject and server in around.hosts}
    return {server for server in stood if not around.hosts[server].unknown}


def _counts(
    happened: Sequence[Happened], at: datetime | None, number: int | None, now: int | None, listed: datetime
) -> list[Count]:
    told = [Count(at, number)] if at is not None and number is not None else []
    told += [Count(one.at, one.restarts) for one in happened if one.restarts is not None]
    return [*told, *([Count(listed, now)] if now is not None else [])]


COUNTED: Final[Mapping[str, Any]] = {kinds.FLAPPING: flapped, kinds.RESTARTED: restarted}
FINDERS: Final[dict[str, Finder]] = dict.fromkeys(COUNTED, find)
