"""What rounds make of reports while they come in, to be compared with what replay makes of the same past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from alerts.evaluate import machine, outcomes
from alerts.evaluate.machine import Event
from alerts.evaluate.replay import Episode
from alerts.evaluate.standings import Key
from alerts.models import Rule

Told = list[tuple[Key, Event]]


def listened(monkeypatch: pytest.MonkeyPatch) -> Told:
    """From now on each event of a round comes into this list too; incidents may be kept open for other reasons."""
    events: Told = []
    tell = outcomes.tell

    def heard(rules: Mapping[int, Rule], told: Sequence[Any]) -> None:
        events.extend(told)
        tell(rules, told)

    monkeypatch.setattr(outcomes, "tell", heard)
    return events


def episodes_of(rule: Rule, events: Told) -> list[Episode]:
    """What rounds told of a rule, as replay tells it; values to be compared with about()."""
    found: list[Episode] = []
    last: dict[tuple[int, str], int] = {}
    for (number, server, subject), event in events:
        if number != rule.pk:
            continue
        if event.kind == machine.OPENS:
            last[server, subject] = len(found)
            found.append(Episode(server, subject, event.since, event.at, None, event.value))
        elif event.kind in (machine.CLEARS, machine.GONE):
            place = last.pop((server, subject))
            found[place] = found[place]._replace(closed_at=event.at)
    return sorted(found, key=lambda one: (one.opened_at, one.server, one.subject))


def about(episodes: Sequence[Episode] | None) -> list[tuple[Any, ...]]:
    """To be compared: values are measured in two ways."""
    assert episodes is not None
    return [(*one[:5], None if one.value is None else pytest.approx(one.value, abs=1e-6, rel=1e-6)) for one in episodes]
