"""What a rule on agents' clocks would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings

from alerts.evaluate import replay_clocks
from alerts.evaluate.replay import replay
from alerts.models import Rule
from alerts.rules import kinds
from servers import ingest, states, watching
from servers.models import Newest, Server, StateChange
from servers.wire import Load, Report
from tests.alerts.replayed import about, episodes_of, listened
from tests.alerts.reporting import MINUTE, SECOND, a_rule, evaluate, recently, report

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND
RULES: list[dict[str, Any]] = [
    {"limit": 5},
    {"limit": 5, "clear_limit": 2, "for_sec": 60, "clear_for_sec": 100},
    {"limit": 3, "k": 3, "n": 5},
]


def rule(**facts: Any) -> Rule:
    """Not saved."""
    return Rule(**({"kind": kinds.SKEW, "params": {}, "limit": 5, "severity": "warning"} | facts))


@pytest.mark.parametrize("seed", range(2))
def test_it_is_what_rounds_made_of_the_same_reports(
    web1: Server, web2: Server, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Clocks that are set, reports that take long, gaps and silences."""
    chance, count, events = Random(seed), 150, listened(monkeypatch)
    start = recently((count + 2) * STEP)
    rules = [a_rule(**{"kind": kinds.SKEW, "params": {}} | facts) for facts in RULES]
    ahead = {web1: 0.0, web2: 0.0}
    quiet = 0
    for place in range(count):
        at = start + place * STEP
        for server in ahead:
            if chance.random() < 0.1:
                ahead[server] = chance.choice([0, 0, 4, 8, -8, -3])
        if quiet > 0:
            quiet -= 1
        else:
            report({web2: 5}, at, ahead=ahead[web2])
            body = Report(
                web1.agent_id, at.timestamp() + ahead[web1] - 2, Load(cpu=5), [], sent_at=at.timestamp() + ahead[web1]
            )
            ingest.store(web1, body, at + chance.choice([0, 0.5, 6]) * SECOND)
        evaluate(at + 7 * SECOND)
        if chance.random() < 0.04 and not quiet:
            quiet = 14
            evaluate(at + 9 * SECOND)
            marked = at + settings.SILENT_AFTER_REPORTS * watching.usual() * SECOND
            for server in ahead:
                StateChange.objects.create(server=server, state=states.SILENT, at=at)
            Server.objects.update(state=states.SILENT, state_since=at)
            evaluate(marked)
    told = [about(replay(one, [web1.pk, web2.pk], start - STEP, start + count * STEP)) for one in rules]
    assert sum(map(len, told)) > 3
    for one, replayed in zip(rules, told, strict=True):
        assert replayed == about(episodes_of(one, events)), one


@pytest.mark.parametrize("ahead", [7, -7])
def test_ahead_and_behind_are_both_off(web1: Server, ahead: float) -> None:
    start = recently()
    for place, skew in enumerate([0] * 8 + [ahead] * 10 + [0] * 10):
        report({web1: 5}, start + place * STEP, ahead=skew)
    (one,) = replay(rule(), [web1.pk], start - STEP, start + 5 * MINUTE) or []
    first = start + (8 if ahead > 0 else 15) * STEP  # of reports the one that took least tells
    assert one.opened_at == first
    assert one.value == pytest.approx(7, abs=0.01)
    assert one.closed_at == start + (25 if ahead > 0 else 18) * STEP


def test_an_agent_that_does_not_say_when_it_sends_has_no_skew(web1: Server) -> None:
    start = recently()
    body = Report(web1.agent_id, (start - MINUTE).timestamp(), Load(cpu=5), [])
    ingest.store(web1, body, start)
    assert Newest.objects.get().skews == []
    assert replay(rule(), [web1.pk], start - STEP, start + MINUTE) == []


def test_only_what_is_kept_raw_is_looked_at(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    start = recently()
    for place in range(12):
        report({web1: 5}, start + place * STEP, ahead=60)
    monkeypatch.setattr(replay_clocks, "since", lambda: start + 8.5 * STEP)
    (one,) = replay(rule(), [web1.pk], start - timedelta(days=7), start + 2 * MINUTE) or []
    assert one.opened_at == start + 9 * STEP
