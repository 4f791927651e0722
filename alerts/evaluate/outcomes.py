"""What happened to subjects, brought to their incidents: openings and closings in the order of each subject's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts import data_moves, moves, states
from alerts.data_moves import Lost
from alerts.evaluate import machine
from alerts.evaluate.found import WHY
from alerts.evaluate.machine import Event
from alerts.evaluate.standings import Key
from alerts.models import Rule
from pmonitor.rows import fetched

REASONS = {machine.CLEARS: states.CLEARED, machine.GONE: states.SUBJECT_GONE}
LIVE = """SELECT rule_id, server_id, incident.subject, id FROM alerts_incident AS incident
    JOIN unnest(%(rules)s::bigint[], %(servers)s::bigint[], %(subjects)s::text[]) AS asked (rule, server, subject)
    ON rule_id = asked.rule AND server_id = asked.server AND incident.subject = asked.subject
    WHERE state = ANY(%(live)s)"""

Happened = tuple[Key, Event]


def tell(rules: Mapping[int, Rule], events: Sequence[Happened]) -> None:
    """Open, close and mark incidents. Of a subject that went down and up again in one round, each is told."""
    for wave in _waves(events):
        _open(rules, [one for one in wave if one[1].kind == machine.OPENS])
        others = [one for one in wave if one[1].kind != machine.OPENS]
        if others:
            _move(others, live([key for key, _event in others]))


def live(keys: Sequence[Key]) -> dict[Key, int]:
    """The numbers of the live incidents of these subjects."""
    rules, servers, subjects = (list(column) for column in zip(*keys, strict=True)) if keys else ([], [], [])
    values = {"rules": rules, "servers": servers, "subjects": subjects, "live": list(states.LIVE)}
    return {(rule, server, subject): number for rule, server, subject, number in fetched(LIVE, values)}


def _waves(events: Sequence[Happened]) -> list[list[Happened]]:
    """In each wave at most one event of a subject; nearly always there is one wave."""
    waves: list[list[Happened]] = []
    count: dict[Key, int] = {}
    for key, event in events:
        place = count[key] = count.get(key, -1) + 1
        if place == len(waves):
            waves.append([])
        waves[place].append((key, event))
    return waves


def _open(rules: Mapping[int, Rule], events: Sequence[Happened]) -> None:
    openings = [
        moves.Opening(rules[rule], server, subject, event.since, event.at, event.value, event.facts)
        for (rule, server, subject), event in events
    ]
    if openings:
        moves.open_(openings)


def _move(events: Sequence[Happened], numbers: Mapping[Key, int]) -> None:
    """Those that somebody closed meanwhile have no number, and stay closed."""
    known = [(numbers[key], event) for key, event in events if key in numbers]
    closings = [
        moves.Closing(number, event.at, REASONS[event.kind]) for number, event in known if event.kind in REASONS
    ]
    if closings:
        moves.close(closings)
    lost = [(number, event) for number, event in known if event.kind == machine.LOST]
    if lost:
        data_moves.no_data({number: Lost(event.at, event.facts.get(WHY)) for number, event in lost})
    if heard := _moments(known, machine.HEARD):
        data_moves.data_again(heard)
    if worse := {number: event.value for number, event in known if event.kind == machine.WORSENS}:
        data_moves.worse({number: value for number, value in worse.items() if value is not None})


def _moments(events: Sequence[tuple[int, Event]], kind: str) -> dict[int, datetime]:
    return {number: event.at for number, event in events if event.kind == kind}
