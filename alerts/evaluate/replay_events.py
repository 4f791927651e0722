"""The past of what history keeps as it happened: silence, boots, commands that failed, events of services."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, zip_longest
from operator import attrgetter
from typing import NamedTuple

from alerts.evaluate import conditions, failed_commands, moments, replay_silences
from alerts.evaluate.found import OVER, UNDER, Seen, Stretch
from alerts.evaluate.machine import Conditions
from alerts.evaluate.process_match import Units
from alerts.models import Rule
from pmonitor.rows import fetched
from servers import history, service_events, spells
from servers.models import StateChange

COMMANDS = """SELECT command.server_id, command.target, entry.at
    FROM actions_auditentry AS entry JOIN actions_command AS command ON command.id = entry.command_id
    WHERE entry.at > %(start)s AND entry.at <= %(end)s AND entry.to_state = command.state
    AND command.state = ANY(%(bad)s) AND command.server_id = ANY(%(servers)s) ORDER BY entry.at"""
EVENTS = f"""SELECT server_id, name, at, kind, facts ? 'pidBefore' FROM {history.EVENTS}
    WHERE server_id = ANY(%(servers)s) AND name <> '' AND at > %(start)s AND at <= %(end)s ORDER BY at"""  # noqa: S608
# Each start and stop; of a crash and the coming back after it, the crash is the restart.
MOVED = (
    service_events.STARTED, service_events.STOPPED, service_events.RESTARTED, service_events.CRASHED,
    service_events.OOM_KILLED, service_events.FAILED, service_events.CAME_BACK,
)  # fmt: skip
ENDED = (service_events.RESTARTED, service_events.CRASHED, service_events.OOM_KILLED)

Told = Iterator[tuple[Conditions, Seen]]
Subject = tuple[int, str]


class Turn(NamedTuple):
    """A moment at which a service may have come to another level, and what was counted then."""

    at: datetime
    level: str
    value: float | None


def _watched(rule: Rule) -> Conditions:
    """What happened is known without a gap, however seldom it did."""
    return conditions.of(rule)._replace(gap_sec=None)


def silent(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """Servers from when they were marked silent; a round then looks each few seconds."""
    watched = _watched(rule)
    fires = timedelta(seconds=rule.for_sec)
    for server, those in replay_silences.silences(servers, start, end).items():
        for marked, up in those:
            until = up or end
            looked = (marked, marked + fires, until)
            yield from ((watched, Seen(0, server, "", at, OVER)) for at in looked if at <= until)
            if up is not None:
                yield watched, Seen(0, server, "", up + timedelta(microseconds=1), UNDER)


def rebooted(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """When they were booted anew."""
    boots = StateChange.objects.filter(server__in=servers, state=spells.REBOOTED, at__gt=start, at__lte=end)
    times: dict[Subject, list[datetime]] = defaultdict(list)
    for server, at in boots.values_list("server", "at"):
        times[server, ""].append(at)
    return _within(rule, times, start, end)


def failed_commands_of(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """When commands on each target ended badly, and nothing settled them well since."""
    values = {"servers": list(servers), "start": start, "end": end, "bad": list(failed_commands.BAD)}
    times: dict[Subject, list[datetime]] = defaultdict(list)
    for server, target, at in fetched(COMMANDS, values):
        times[server, target].append(at)
    return _within(rule, times, start, end)


def _within(rule: Rule, times: Mapping[Subject, Sequence[datetime]], start: datetime, end: datetime) -> Told:
    """As the rounds tell moments that count for a while."""
    watched, within = _watched(rule), conditions.params(rule).within_sec
    for subject, those in times.items():
        for at, level in moments.levels(those, within, Stretch(start, end)):
            yield watched, Seen(0, *subject, at, level)


def failed_services(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """A service failed until the next thing that happened to it."""
    for subject, events in _events(rule, servers, start, end).items():
        turns = [Turn(at, OVER if kind == service_events.FAILED else UNDER, None) for at, kind, _ran in events]
        yield from _lasting(rule, subject, turns, end)


def _lasting(rule: Rule, subject: Subject, turns: Sequence[Turn], end: datetime) -> Told:
    """What was found at each turn, and once more when a level has lasted as long as the rule asks."""
    watched = _watched(rule)
    lasts = {OVER: timedelta(seconds=rule.for_sec), UNDER: timedelta(seconds=rule.clear_for_sec)}
    runs = [list(run) for _level, run in groupby(turns, key=attrgetter("level"))]
    for run, later in zip_longest(runs, runs[1:]):
        due, until = run[0].at + lasts[run[0].level], later[0].at if later else end
        looked = {one.at: one for one in run}
        if due < until:
            looked.setdefault(due, run[bisect_right(run, due, key=attrgetter("at")) - 1])
        yield from ((watched, Seen(0, *subject, at, looked[at].level, looked[at].value)) for at in sorted(looked))


def restarted_services(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """As often as events tell: of a service that keeps dying not each time is one."""
    return _counted(rule, servers, start, end, _is_restart)


def flapping_services(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """Starts and stops, as events tell."""
    return _counted(rule, servers, start, end, lambda kind, _ran: kind in MOVED)


def _is_restart(kind: str, ran: bool) -> bool:
    return kind in ENDED or (kind == service_events.CAME_BACK and ran)


def _counted(
    rule: Rule, servers: Sequence[int], start: datetime, end: datetime, counts: Callable[[str, bool], bool]
) -> Told:
    """How many events were in the window at each of them, and at each moment that one of them leaves it."""
    limit, within = conditions.limit(rule), timedelta(seconds=conditions.params(rule).within_sec)
    for subject, events in _events(rule, servers, start - within, end).items():
        times = [at for at, kind, ran in events if counts(kind, ran)]
        turns = []
        for at in sorted({*times, *(at + within for at in times)}):
            if start < at <= end:
                count = bisect_right(times, at) - bisect_right(times, at - within)
                turns.append(Turn(at, OVER if count >= limit else UNDER, count))
        yield from _lasting(rule, subject, turns, end)


def _events(
    rule: Rule, servers: Sequence[int], start: datetime, end: datetime
) -> Mapping[Subject, list[tuple[datetime, str, bool]]]:
    """What happened to the services that the rule means: when, what, and whether it ran before."""
    units = Units([(0, conditions.params(rule).service.casefold())])
    events: dict[Subject, list[tuple[datetime, str, bool]]] = defaultdict(list)
    for server, name, at, kind, ran in fetched(EVENTS, {"servers": list(servers), "start": start, "end": end}):
        if units[name]:
            events[server, name].append((at, kind, ran))
    return events
