"""The past of what history keeps as it happened: silence, boots, commands that failed, events of services."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import translate

from alerts.evaluate import conditions, failed_commands, moments, replay_silences
from alerts.evaluate.found import OVER, UNDER, Seen, Stretch
from alerts.evaluate.machine import Conditions
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
    watched = _watched(rule)
    for subject, events in _events(rule, servers, start, end).items():
        failed = None
        for at, kind, _ran in events:
            if failed is not None:
                yield from _lasted(watched, rule, subject, failed, at)
            failed = at if kind == service_events.FAILED else None
            if failed is None:
                yield watched, Seen(0, *subject, at, UNDER)
        if failed is not None:
            yield from _lasted(watched, rule, subject, failed, end)


def _lasted(watched: Conditions, rule: Rule, subject: Subject, since: datetime, until: datetime) -> Told:
    """Over from one moment to another, and looked at when the rule fires."""
    fires = since + timedelta(seconds=rule.for_sec)
    for at in (since, fires):
        if at < until or at == since:
            yield watched, Seen(0, *subject, at, OVER)


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
    watched, limit = _watched(rule), conditions.limit(rule)
    within = timedelta(seconds=conditions.params(rule).within_sec)
    for subject, events in _events(rule, servers, start - within, end).items():
        times = [at for at, kind, ran in events if counts(kind, ran)]
        for at in sorted({*times, *(at + within for at in times)}):
            if start < at <= end:
                count = bisect_right(times, at) - bisect_right(times, at - within)
                yield watched, Seen(0, *subject, at, OVER if count >= limit else UNDER, count)


def _events(
    rule: Rule, servers: Sequence[int], start: datetime, end: datetime
) -> Mapping[Subject, list[tuple[datetime, str, bool]]]:
    """What happened to the services that the rule means: when, what, and whether it ran before."""
    fits = re.compile(translate(conditions.params(rule).service)).match
    events: dict[Subject, list[tuple[datetime, str, bool]]] = defaultdict(list)
    for server, name, at, kind, ran in fetched(EVENTS, {"servers": list(servers), "start": start, "end": end}):
        if fits(name):
            events[server, name].append((at, kind, ran))
    return events
