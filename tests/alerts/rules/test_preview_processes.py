"""What a rule on processes would have done, as the editor and programs are told."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts.rules import kinds, preview
from alerts.rules.wanted import Wanted
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.process_series import STEP
from tests.alerts.rules.filled import LIST, limit_shown, typed
from tests.alerts.test_replay_processes import before_the_hour, busy, compact, tell
from tests.cast import program_of

pytestmark = pytest.mark.django_db
PREVIEW = f"{LIST}preview/"
PARAMS = {"by": "name", "pattern": "nginx"}


def wanted(kind: str, limit: float, **params: object) -> Wanted:
    return Wanted(name="r", kind=kind, params=PARAMS | params, limit=limit, severity="warning")


def a_past(*servers: Server) -> None:
    """Twenty minutes, half of them compacted, five of them over 50 %."""
    for server in servers:
        start = before_the_hour()
        tell(server, [busy(99.0 if 60 <= place < 90 else 10.0) for place in range(120)], start)
        compact([server], start, 1)


def test_it_tells_how_often_and_draws_what_the_worst_used(as_operator: Client, web1: Server, web2: Server) -> None:
    a_past(web1)
    tell(web2, [busy(10.0)], before_the_hour())
    shown = text(as_operator.get(PREVIEW, typed(wanted(kinds.PROCESS_CPU, 50))))
    assert "Would have fired 1 time in the last 7 days" in shown
    assert "on 1 of 2 servers" in shown
    assert shown.count('class="fired"') == 1
    assert '<path class="limit" d="M0 52.0H1000"/>' in shown  # 50 of 100
    (curve,) = re.findall(r'<path class="a" d="M([^"]*)"', shown)
    heights = [float(place.split()[1]) for place in curve.split("L")[1:-1]]
    assert min(heights) < 90.4  # what is 10 all the time
    assert limit_shown(shown) == "50%"


def test_memory_is_drawn_as_well(as_operator: Client, web1: Server) -> None:
    tell(web1, [busy(1.0)] * 3, before_the_hour())
    shown = text(as_operator.get(PREVIEW, typed(wanted(kinds.PROCESS_MEMORY, 5, together=True))))
    assert '<path class="limit" d="M0 76.0H1000"/>' in shown  # 5 of 20: it uses 12.5
    assert limit_shown(shown) == "5 MB"


@pytest.mark.parametrize(
    ("kind", "limit", "params"),
    [(kinds.MISSING, 2, {}), (kinds.TOO_MANY, 0, {}), (kinds.RESTARTING, 1, {"by": "service", "withinSec": 60})],
)
def test_what_is_counted_is_not_drawn(
    as_operator: Client, web1: Server, kind: str, limit: float, params: dict[str, object]
) -> None:
    a_past(web1)
    shown = text(as_operator.get(PREVIEW, typed(wanted(kind, limit, **params))))
    assert ("Would have fired 1 time" in shown) == (kind != kinds.RESTARTING)
    assert 'class="a"' not in shown


def test_as_many_servers_are_looked_at_as_there_is_time_for(
    as_operator: Client, operator: User, web1: Server, web2: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_past(web1, web2)
    monkeypatch.setattr(preview, "LOOK_SEC", -1)
    rule = wanted(kinds.PROCESS_CPU, 50)
    shown = text(as_operator.get(PREVIEW, typed(rule)))
    assert "The first 1 of 2 servers were looked at." in shown
    assert "on 1 of 1 server" in shown
    asked = {"kind": rule.kind, "params": rule.params, "limit": 50, "scope": "group:web"}
    said = program_of(operator).post("/api/alerts/rules/preview", asked, "application/json").json()
    assert (said["matching"], said["lookedAt"], said["fired"], said["servers"]) == (2, 1, 1, 1)
    assert {episode["agent"] for episode in said["episodes"]} == {web1.agent_id}


def test_what_history_cannot_tell_of_services_is_said(as_operator: Client, operator: User, web1: Server) -> None:
    rule = wanted(kinds.PROCESS_CPU, 50, by="service", pattern="nginx.service")
    assert "cannot be told from history" in text(as_operator.get(PREVIEW, typed(rule)))
    asked = {"kind": rule.kind, "params": rule.params, "limit": 50, "scope": "group:web"}
    said = program_of(operator).post("/api/alerts/rules/preview", asked, "application/json").json()
    assert (said["episodes"], said["fired"], said["lookedAt"]) == (None, None, 1)


@pytest.mark.parametrize(("late", "fired"), [(0, 1), (1, 0)])
def test_seven_days_are_looked_at_and_no_more(operator: User, web1: Server, late: int, fired: int) -> None:
    start = before_the_hour()
    tell(web1, [busy(99.0)], start)
    told = preview.find(operator, wanted(kinds.PROCESS_CPU, 50), start + preview.BACK + late * STEP)
    assert told is not None
    assert told.episodes is not None
    assert len(told.episodes) == fired
