"""The past of services that did not run and should have, out of what happened to them.

Lists of services are not kept. So from one event of a service to its next one it was as servers/services_then.py has
it; after the last one, and where nothing happened at all, it was as it is listed now. What no event tells is unknown.
Whether a service may rest is what its list of now says; one that is not listed now is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from actions.models import Lease
from alerts.evaluate import conditions, machine, replay_silences
from alerts.evaluate.found import NO_DATA, OVER, UNDER, Seen
from alerts.evaluate.machine import IS_GONE, Conditions, Stood
from alerts.evaluate.process_match import Units
from alerts.evaluate.replay_silences import Silence
from alerts.evaluate.service_states import AT_BOOT, is_for_many
from alerts.models import Rule
from pmonitor.rows import fetched
from servers import history, service_events, spells, states
from servers.models import HubAbsence, StateChange
from servers.services_then import ACTIVE, AFTER, BEFORE

# Others have run since before the stretch, or need not run.
LISTED = """SELECT s.server_id, s.name, s.active_state, s.since, s.unit_file_state, server.enrolled_at
    FROM servers_service s JOIN servers_server server ON server.id = s.server_id
    WHERE s.server_id = ANY(%(servers)s) AND (s.active_state <> 'active' OR s.since IS NULL OR s.since > %(start)s)
        AND s.type <> 'oneshot' AND s.triggered_by = '[]' AND s.load_state <> 'masked'"""
# What happened to each after the stretch's begin, up to now, and the last thing before that.
EVENTS = f"""SELECT one.server, one.name, e.at, e.kind, e.facts ? 'runs'
    FROM unnest(%(servers)s::bigint[], %(names)s::text[]) AS one (server, name) CROSS JOIN LATERAL (
        (SELECT * FROM {history.EVENTS} WHERE server_id = one.server AND name = one.name AND at > %(start)s)
        UNION ALL (SELECT * FROM {history.EVENTS} WHERE server_id = one.server AND name = one.name AND at <= %(start)s
            ORDER BY at DESC, kind DESC LIMIT 1)) AS e
    ORDER BY e.at, e.kind"""  # noqa: S608  a name of our own
BOOTED, UNKNOWN, ABSENT = "booted", "", "absent"
Told = Iterator[tuple[Conditions, Seen]]
Subject = tuple[int, str]
MICROSECOND: Final = timedelta(microseconds=1)


class Service(NamedTuple):
    """A service as it is listed now, and when its server was enrolled."""

    server: int
    name: str
    state: str
    since: datetime | None
    unit_file_state: str
    enrolled_at: datetime


class Event(NamedTuple):
    """Something that happened to a service, or BOOTED; runs: it was active after it, whatever it was."""

    at: datetime
    kind: str
    runs: bool = False


class Lent(NamedTuple):
    """From when to when a service was stopped for a time; None: it is still."""

    since: datetime
    until: datetime | None


class Around(NamedTuple):
    """What there was besides services' own events."""

    silent: Mapping[int, Sequence[Silence]]
    lent: Mapping[Subject, Sequence[Lent]]
    back: Collection[datetime]  # when the hub was back from an absence


def past(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Told:
    """See replay.Past; of INACTIVE."""
    watched = conditions.of(rule)._replace(gap_sec=None)
    services = _services(rule, servers, start)
    events, boots = _events(services, start), _boots(servers)
    absences = HubAbsence.objects.filter(end__gt=start, end__lte=end)
    around = Around(replay_silences.silences(servers, start, end), _lent(servers, start), {one.end for one in absences})
    for one in services:
        subject = one.server, one.name
        was = states_of(one, [*boots[one.server], *events[subject]], start)
        for seen in _seen(watched, subject, was, around, end):
            yield watched, seen


def states_of(one: Service, events: Sequence[Event], start: datetime) -> list[tuple[datetime, str]]:
    """From when on the service was in which state, UNKNOWN where nothing tells; events: boots among them.

    After a boot it was what the next event found; where there is none, nothing has happened to it since.
    """
    begin = max(start, one.enrolled_at)
    marks = [Event(begin, BOOTED)]
    for mark in sorted(events, key=lambda event: event.at):
        marks = [mark._replace(at=begin)] if mark.at <= begin else [*marks, mark]
    found = [(mark.at, _between(mark, later)) for mark, later in pairwise(marks)]
    last = marks[-1]
    left = ACTIVE if last.runs else AFTER.get(last.kind, UNKNOWN)
    if left != one.state and one.since is not None and one.since > last.at:  # it became so without an event
        return [*found, (last.at, left), (one.since, one.state)]
    return [*found, (last.at, one.state)]


def _between(mark: Event, later: Event) -> str:
    if mark.runs:
        return ACTIVE
    if mark.kind == service_events.GONE or later.kind == service_events.APPEARED:
        return ABSENT
    return AFTER.get(mark.kind) or BEFORE.get(later.kind, UNKNOWN)


def _seen(
    watched: Conditions, subject: Subject, was: Sequence[tuple[datetime, str]], around: Around, end: datetime
) -> Iterator[Seen]:
    """The service whenever something turns, and when that has lasted as long as the rule asks.

    Whether a failed one counts depends on what stands, so the machine goes along.
    """
    silent, lent = around.silent.get(subject[0], []), around.lent.get(subject, [])
    changes, state, stood = dict(was), UNKNOWN, None
    turns = {at for spell in (*silent, *lent) for at in spell if at is not None}
    moments = [at for at in sorted({*changes, *turns, *around.back}) if at <= end]
    for at, until in zip(moments, [*moments[1:], end + MICROSECOND], strict=True):
        state = changes.get(at, state)
        if at in around.back and stood:
            stood = machine.interrupted(stood)
        level = _level(state, stood is not None, _holds(silent, at), _holds(lent, at))
        looked: datetime | None = at
        while looked is not None:
            seen = Seen(0, *subject, looked, level, None, {IS_GONE: True} if state == ABSENT else {})
            if stood or level == OVER:
                stood, _event = machine.step(watched, stood, seen)
            yield seen
            due = _due(watched, stood)
            looked = due if due and looked < due < until else None


def _level(state: str, stands: bool, silent: bool, lent: bool) -> str:
    if silent or state == UNKNOWN:
        return NO_DATA
    down = state == states.INACTIVE or (stands and state == states.FAILED)
    return OVER if down and not lent else UNDER


def _due(watched: Conditions, stood: Stood | None) -> datetime | None:
    """When it fires or is over if it goes on so."""
    if stood and stood.phase == machine.PENDING:
        return stood.since + timedelta(seconds=watched.for_sec)
    if stood and stood.clear_since:
        return stood.clear_since + timedelta(seconds=watched.clear_for_sec)
    return None


def _holds(times: Sequence[tuple[datetime, datetime | None]], at: datetime) -> bool:
    return any(begin <= at and (until is None or at < until) for begin, until in times)


def _services(rule: Rule, servers: Sequence[int], start: datetime) -> list[Service]:
    """Those that the rule means, of which there may be something to tell."""
    pattern = conditions.params(rule).service
    units = Units([(0, pattern.casefold())])
    found = [Service(*row) for row in fetched(LISTED, {"servers": list(servers), "start": start}) if units[row[1]]]
    return [one for one in found if not is_for_many(pattern) or one.unit_file_state in AT_BOOT]


def _events(services: Sequence[Service], start: datetime) -> Mapping[Subject, list[Event]]:
    about = {"servers": [one.server for one in services], "names": [one.name for one in services], "start": start}
    found: dict[Subject, list[Event]] = defaultdict(list)
    for server, name, at, kind, runs in fetched(EVENTS, about):
        found[server, name].append(Event(at, kind, runs))
    return found


def _boots(servers: Sequence[int]) -> Mapping[int, list[Event]]:
    found: dict[int, list[Event]] = defaultdict(list)
    boots = StateChange.objects.filter(server__in=servers, state=spells.REBOOTED)
    for server, at in boots.values_list("server", "at"):
        found[server].append(Event(at, BOOTED))
    return found


def _lent(servers: Sequence[int], start: datetime) -> Mapping[Subject, list[Lent]]:
    """When services were stopped for a time: from their stops on, of which the leases come."""
    held = Lease.objects.filter(server__in=servers).exclude(ended_at__lte=start)
    found: dict[Subject, list[Lent]] = defaultdict(list)
    for one in held.select_related("command"):
        stopped = one.command.started_at or one.command.delivered_at or one.command.created_at
        found[one.server_id, one.target].append(Lent(stopped, one.ended_at))
    return found
