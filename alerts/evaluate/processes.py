"""Finds what rules on processes mean: missing, too many, restarting, over CPU or memory. One subject a server.

A table has at most 500 processes; of more, those with the least CPU, then memory, are left out. What is counted is
told where it is certain whatever was left out, else nothing is known. The busiest and the largest are in the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from alerts.evaluate import process_levels, service_times
from alerts.evaluate.found import CUT, NO_DATA, OVER, UNDER, UNTOLD, WHY, Aim, Finder, Seen, Stretch
from alerts.evaluate.limits import REACHED, level_of
from alerts.evaluate.process_levels import ANY_NUMBER
from alerts.evaluate.process_match import SERVICE, Matcher, Wanted
from alerts.evaluate.process_tables import AT_MOST, Reported, Turns, heard, tables
from alerts.evaluate.succession import Look, Successions
from alerts.models import Rule, Standing
from alerts.rules import kinds
from alerts.rules.kinds import Processes, Restarting
from pmonitor.rows import fetched
from servers.process_lines import CPU, MEM, Stays

# A service that runs without a main process: what is of it is not known.
MAINS = """SELECT server_id, name, main_pid FROM servers_service WHERE server_id = ANY(%s)
    AND (main_pid > 0 OR (active_state IN ('active', 'reloading', 'deactivating') AND sub_state <> 'exited'))"""
TURNS: Final[defaultdict[frozenset[str], Turns]] = defaultdict(Turns)  # by the kinds that are looked for together


class Watched(NamedTuple):
    """A rule, what it means, and the number of that among all that is wanted."""

    rule: Rule
    params: Processes
    number: int


class Table(NamedTuple):
    """One server's table, and what is in it of what is wanted: by number the places."""

    reported: Reported
    procs: list[Stays]
    places: dict[int, list[int]]
    unsure: frozenset[int]  # numbers of which there may be any more


class Told(NamedTuple):
    """How a rule's processes stand."""

    level: str
    value: float | None = None
    facts: dict[str, Any] = {}


Served = tuple[dict[int, list[int]], set[int]]  # by number: main pids of services; and numbers that are unsure


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> list[Seen]:
    """A finder of all kinds in FINDERS: given all their rules at once, it unpacks each table once."""
    by_events = [aim for aim in aims if aim.rule.kind == kinds.RESTARTING and aim.rule.params["by"] == SERVICE]
    by_tables = [aim for aim in aims if aim not in by_events]
    found = list(service_times.find_together(by_events, stretch, standings)) if by_events else []
    found += _by_tables(by_tables, stretch, standings) if by_tables else []
    return sorted(found, key=attrgetter("at"))


def _by_tables(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    watched, wanted = _watched(aims)
    by_server: dict[int, list[Watched]] = {}
    for aim, one in zip(aims, watched, strict=True):
        for server in aim.servers:
            by_server.setdefault(server, []).append(one)
    stands = {(one.rule_id, one.server_id): one for one in standings}
    news = heard(list(by_server), stretch)
    for server in news.silent:
        for one in by_server[server]:
            if (one.rule.pk, server) in stands:
                yield Seen(one.rule.pk, server, "", stretch.until, NO_DATA)
    servers = TURNS[frozenset(aim.rule.kind for aim in aims)].take(news.fresh, AT_MOST)
    yield from _in_tables(by_server, servers, wanted, stretch, stands)


def _in_tables(
    by_server: Mapping[int, Sequence[Watched]],
    servers: Sequence[int],
    wanted: Sequence[Wanted],
    stretch: Stretch,
    stands: Mapping[tuple[int, int], Standing],
) -> Iterator[Seen]:
    matcher = Matcher(wanted)
    served = _served(servers, matcher) if SERVICE in matcher.kinds else {}
    restarting = {one.rule.pk for server in servers for one in by_server[server] if one.rule.kind == kinds.RESTARTING}
    successions = Successions(restarting, servers)
    for reported in tables(servers, stretch.until):
        here = by_server[reported.server]
        table = _looked_through(reported, matcher, frozenset(one.number for one in here), served)
        for one in here:
            standing = stands.get((one.rule.pk, reported.server))
            if standing is not None and standing.at >= reported.at:
                continue
            if standing is None and one.rule.kind in NEEDS_ONE and one.number not in table.places:
                continue
            told = MEASURES[one.rule.kind](one, table, successions)
            if told.level == OVER or standing is not None:
                facts = _facts(one) | told.facts
                yield Seen(one.rule.pk, reported.server, "", reported.at, told.level, told.value, facts)
    successions.save()


def _watched(aims: Sequence[Aim]) -> tuple[list[Watched], list[Wanted]]:
    numbers: dict[Wanted, int] = {}
    watched = []
    for aim in aims:
        shape = Restarting if aim.rule.kind == kinds.RESTARTING else Processes
        params = msgspec.convert(aim.rule.params, shape)
        wanted = Wanted(params.by, params.pattern.casefold())
        watched.append(Watched(aim.rule, params, numbers.setdefault(wanted, len(numbers))))
    return watched, list(numbers)


def _served(servers: Sequence[int], matcher: Matcher) -> dict[int, Served]:
    found: dict[int, Served] = {}
    for server, name, pid in fetched(MAINS, [list(servers)]):
        for number in matcher.units[name]:
            mains, unsure = found.setdefault(server, ({}, set()))
            if pid:
                mains.setdefault(number, []).append(pid)
            else:
                unsure.add(number)
    return found


def _looked_through(reported: Reported, matcher: Matcher, meant: frozenset[int], served: Mapping[int, Served]) -> Table:
    mains, unsure = served.get(reported.server, ({}, set()))
    if not reported.lists_services:
        unsure = {number for number in meant if matcher.kinds[number] == SERVICE}
    procs = reported.lines.all_stays()
    return Table(reported, procs, matcher.places(reported.lines, procs, meant, mains), frozenset(unsure))


def _facts(one: Watched) -> dict[str, Any]:
    params = one.params
    facts = {"by": params.by, "pattern": params.pattern, "limit": one.rule.limit}
    if isinstance(params, Restarting):
        return facts | {"withinSec": params.within_sec}
    return facts | ({"together": True} if params.together else {})


def _counted(one: Watched, table: Table, _kept: Successions) -> Told:
    """Certain only where those that the table left out make no difference."""
    count = len(table.places.get(one.number, ()))
    more = ANY_NUMBER if one.number in table.unsure else max(0, table.reported.total - len(table.procs))
    level = process_levels.of_count(one.rule, count, more)
    return Told(NO_DATA, None, _why(one, table)) if level == NO_DATA else Told(level, count)


def _why(one: Watched, table: Table) -> dict[str, Any]:
    """Why a number of processes is not certain."""
    if one.number in table.unsure:
        return {WHY: {"why": UNTOLD}}
    return {WHY: {"why": CUT, "listed": len(table.procs), "processes": table.reported.total}}


def _restarting(one: Watched, table: Table, kept: Successions) -> Told:
    reported, rule = table.reported, one.rule
    procs = [table.procs[place] for place in table.places.get(one.number, ())]
    there = tuple((proc.pid, proc.start_ticks) for proc in procs)
    window = one.params.within_sec if isinstance(one.params, Restarting) else 0
    times = kept.times(Look(rule, reported.server, reported.at, reported.boot, there, window))
    return Told(level_of(rule, times, REACHED), times)


def _cpu(one: Watched, table: Table, _kept: Successions) -> Told:
    return _using(one, table, CPU)


def _memory(one: Watched, table: Table, _kept: Successions) -> Told:
    return _using(one, table, MEM)


def _using(one: Watched, table: Table, column: int) -> Told:
    """Who is gone uses nothing; of a process that is new the CPU is not yet known."""
    places = table.places.get(one.number, ())
    if not places:
        return Told(UNDER, 0.0)
    values = table.reported.lines.column(column)
    used = [value for place in places if (value := values[place]) is not None]
    if not used:
        return Told(NO_DATA)
    most = max(used)
    value = process_levels.used(one.params.together, most, sum(used))
    place = next(place for place in places if values[place] == most)
    proc = table.procs[place]
    facts = {"process": proc.name, "pid": proc.pid, "startTicks": proc.start_ticks}
    return Told(level_of(one.rule, value), value, facts)


MEASURES: Final[dict[str, Callable[[Watched, Table, Successions], Told]]] = {
    kinds.MISSING: _counted,
    kinds.TOO_MANY: _counted,
    kinds.RESTARTING: _restarting,
    kinds.PROCESS_CPU: _cpu,
    kinds.PROCESS_MEMORY: _memory,
}
NEEDS_ONE: Final = (kinds.PROCESS_CPU, kinds.PROCESS_MEMORY)  # without a process there is nothing to find
FINDERS: Final[dict[str, Finder]] = dict.fromkeys(MEASURES, find)
