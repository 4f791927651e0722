"""What a rule on inactive services would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import msgspec
import pytest
from django.conf import settings

from actions.models import Lease
from actions.states import HELD, KEPT
from alerts.evaluate.replay import replay
from alerts.models import Rule
from alerts.rules import kinds
from servers import service_history, states, watching
from servers.models import HubAbsence, Server, Service, StateChange
from servers.service_events import Event
from servers.wire import Service as Listed
from tests.actions.making import command
from tests.alerts.replayed import about, episodes_of, listened
from tests.alerts.reporting import MINUTE, SECOND, a_rule, evaluate, recently, report
from tests.servers.reports import service

pytestmark = pytest.mark.django_db
WEB, DB = "nginx.service", "postgresql.service"
LIFE = {  # what comes after what
    "active": ("active", "active", "inactive", "inactive", "failed"),
    "inactive": ("inactive", "inactive", "inactive", "active", "failed"),
    "failed": ("failed", "active"),
}
RULES: list[dict[str, Any]] = [
    {},
    {"for_sec": 120, "clear_for_sec": 180},
    {"for_sec": 60, "params": {"service": "NGINX"}},
]


def rule(service: str = "*", **facts: Any) -> Rule:
    """Not saved."""
    return Rule(kind=kinds.INACTIVE, params={"service": service}, severity="warning", **facts)


def listed(server: Server, name: str = WEB, state: str = "active", since: datetime | None = None, **facts: Any) -> None:
    """A service as it is listed now."""
    about = {"unit_file_state": "enabled", "load_state": "loaded", "type": "simple"}
    Service.objects.create(server=server, name=name, active_state=state, since=since, **(about | facts))


def happened(server: Server, start: datetime, *told: tuple[str, float], name: str = WEB) -> None:
    """So many minutes after the start."""
    service_history.record(server.pk, [Event(name, start + at * MINUTE, kind, {}) for kind, at in told])


def fired(one: Rule, server: Server, start: datetime) -> list[tuple[str, float, float | None]]:
    """In the hour from the start: which service, and in minutes when each opened and closed."""
    found = replay(one, [server.pk], start, start + 60 * MINUTE)
    assert found is not None
    minutes = [[None if at is None else (at - start) / MINUTE for at in (ep.opened_at, ep.closed_at)] for ep in found]
    return [(ep.subject, opened or 0, closed) for ep, (opened, closed) in zip(found, minutes, strict=True)]


@pytest.fixture
def start(web1: Server, web2: Server) -> datetime:
    """An hour and more ago; servers were enrolled long before."""
    begin = recently(70 * MINUTE)
    Server.objects.update(enrolled_at=begin - 60 * MINUTE)
    return begin


@pytest.mark.parametrize("seed", range(2))
def test_it_is_what_rounds_made_of_the_same_reports(
    web1: Server, start: datetime, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With silences, and stops for a time."""
    chance, events = Random(seed), listened(monkeypatch)
    rules = [a_rule(**{"kind": kinds.INACTIVE, "limit": None, "params": {"service": "*"}} | facts) for facts in RULES]
    lives = dict.fromkeys((WEB, DB, "disabled.service", "once.service"), "active")
    since = dict.fromkeys(lives, start)
    extra = {"disabled.service": {"unitFileState": "disabled"}, "once.service": {"type": "oneshot"}}
    lease: Lease | None = None
    for place in range(60):
        at = start + place * MINUTE
        for name, was in lives.items():
            lives[name] = chance.choice(LIFE[was]) if place else was
            since[name] = since[name] if lives[name] == was else at
        bodies = [
            service(name, activeState=state, since=since[name].isoformat(), mainPid=None) | extra.get(name, {})
            for name, state in lives.items()
        ]
        report({web1: 5}, at, services=[msgspec.convert(body, Listed) for body in bodies])
        if lease is None and chance.random() < 0.1:
            stop = command(web1, "succeeded", target=WEB, cmd="stop", started_at=at)
            lease = Lease.objects.create(command=stop, server=web1, target=WEB, state=HELD, until=at)
        elif lease is not None and chance.random() < 0.2:
            Lease.objects.filter(pk=lease.pk).update(state=KEPT, ended_at=at)
            lease = None
        evaluate(at)
        if chance.random() < 0.05:
            StateChange.objects.create(server=web1, state=states.SILENT, at=at)
            Server.objects.filter(pk=web1.pk).update(state=states.SILENT, state_since=at)
            evaluate(at + settings.SILENT_AFTER_REPORTS * watching.usual() * SECOND)
    told = [about(replay(one, [web1.pk], start - SECOND, start + 59 * MINUTE)) for one in rules]
    assert sum(map(len, told)) > 10
    for one, replayed in zip(rules, told, strict=True):
        assert replayed == about(episodes_of(one, events)), one


def test_from_a_stop_to_a_start_it_is_inactive_and_a_failure_is_no_recovery(web1: Server, start: datetime) -> None:
    listed(web1, since=start + 30 * MINUTE)
    happened(web1, start, ("stopped", 5), ("started", 8), ("stopped", 10), ("failed", 20), ("started", 30))
    assert fired(rule(for_sec=60), web1, start) == [(WEB, 6, 8), (WEB, 11, 30)]
    assert fired(rule(for_sec=240, clear_for_sec=300), web1, start) == [(WEB, 14, 35)]


def test_what_was_so_when_the_stretch_began_counts_from_there(web1: Server, web2: Server, start: datetime) -> None:
    listed(web1, since=start + 7 * MINUTE)
    happened(web1, start, ("started", -500), ("stopped", -200), ("started", 7))
    listed(web2, state="inactive", since=start - 900 * MINUTE)
    assert fired(rule(), web1, start) == [(WEB, 0, 7)]
    assert fired(rule(), web2, start) == [(WEB, 0, None)]


def test_one_that_no_event_tells_of_is_as_it_is_listed_now_since_then(web1: Server, start: datetime) -> None:
    listed(web1, state="inactive", since=start + 9 * MINUTE)
    listed(web1, DB, state="inactive")
    assert fired(rule(), web1, start) == [(DB, 0, None), (WEB, 9, None)]
    Server.objects.filter(pk=web1.pk).update(enrolled_at=start + 4 * MINUTE)
    assert fired(rule(DB), web1, start) == [(DB, 4, None)]


@pytest.mark.parametrize(
    ("facts", "of_all", "named"),
    [
        ({}, True, True),
        ({"unit_file_state": "disabled"}, False, True),
        ({"type": "oneshot"}, False, False),
        ({"triggered_by": ["nginx.socket"]}, False, False),
        ({"load_state": "masked"}, False, False),
    ],
)
def test_whether_it_may_rest_is_what_is_listed_now(
    web1: Server, start: datetime, facts: dict[str, Any], of_all: bool, named: bool
) -> None:
    listed(web1, since=start + 30 * MINUTE, **facts)
    happened(web1, start, ("stopped", 5), ("started", 30))
    assert bool(fired(rule(), web1, start)) == of_all
    assert bool(fired(rule("NGINX"), web1, start)) == named
    assert fired(rule("ngin"), web1, start) == []


def test_one_that_is_not_listed_any_more_is_left_out(web1: Server, start: datetime) -> None:
    happened(web1, start, ("stopped", 5), ("gone", 30))
    assert fired(rule(), web1, start) == []


def test_one_that_was_gone_for_a_while_ends_then(web1: Server, start: datetime) -> None:
    listed(web1, since=start + 50 * MINUTE)
    happened(web1, start, ("stopped", 5), ("gone", 20), ("appeared", 40), ("started", 50))
    assert fired(rule(clear_for_sec=600), web1, start) == [(WEB, 5, 20)]


def test_a_boot_makes_unknown_what_no_later_event_tells(web1: Server, web2: Server, start: datetime) -> None:
    for server in (web1, web2):
        happened(server, start, ("stopped", 5))
        StateChange.objects.create(server=server, state="rebooted", at=start + 10 * MINUTE)
    happened(web1, start, ("stopped", 20), ("started", 40))  # so it ran after the boot
    listed(web1, since=start + 40 * MINUTE)
    listed(web2, since=start + 10 * MINUTE)
    assert fired(rule(), web1, start) == [(WEB, 5, 10), (WEB, 20, 40)]
    assert fired(rule(), web2, start) == [(WEB, 5, 10)]


def test_while_it_is_stopped_for_a_time_it_does_not_count(web1: Server, start: datetime) -> None:
    listed(web1, state="inactive", since=start + 10 * MINUTE)
    happened(web1, start, ("stopped", 10))
    stop = command(web1, "succeeded", target=WEB, cmd="stop", started_at=start + 9 * MINUTE)
    lease = Lease.objects.create(command=stop, server=web1, target=WEB, state=HELD, until=start + 99 * MINUTE)
    assert fired(rule(), web1, start) == []
    Lease.objects.filter(pk=lease.pk).update(state=KEPT, ended_at=start + 30 * MINUTE)
    assert fired(rule(), web1, start) == [(WEB, 30, None)]


def test_what_has_to_last_begins_anew_after_an_absence_of_the_hub(web1: Server, start: datetime) -> None:
    listed(web1, state="inactive", since=start + 10 * MINUTE)
    happened(web1, start, ("stopped", 10))
    HubAbsence.objects.create(start=start + 12 * MINUTE, end=start + 15 * MINUTE, why=HubAbsence.STOPPED)
    assert fired(rule(for_sec=300), web1, start) == [(WEB, 20, None)]
