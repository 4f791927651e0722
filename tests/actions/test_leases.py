"""Services that are stopped for a time: asking for it, what agents tell of it, and what is on record."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import leases, lifecycle, states
from actions.ask import ask
from actions.models import AuditEntry, Command, Lease
from pmonitor.problems import Problem
from servers.models import Newest, Server, Service
from servers.states import SILENT
from tests.actions.lending import LENT, again, events, finished, in_future, lend, tell, told
from tests.actions.making import DEAD, NGINX, RUNNING, RUNNING_ANEW, result
from tests.actions.test_races import together

pytestmark = pytest.mark.django_db


# Asking


@pytest.mark.parametrize(
    ("cmd", "args", "field"),
    [
        *(("stop", {"forSec": wrong}, "args.forSec") for wrong in (59, 86_401, True, "1200", 1200.5, None)),
        ("stop", {"forSec": 1200, "until": 1}, "args.until"),
        ("extend", {}, "args.forSec"),
        ("keep", {"forSec": 1200}, "args"),
        ("restart", {"forSec": 1200}, "args"),
    ],
)
def test_wrong_arguments_are_named(able: Server, operator: User, cmd: str, args: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as caught:
        ask(operator, able, cmd, NGINX, args=args)
    assert (caught.value.status_code, list(caught.value.fields)) == (400, [field])


@pytest.mark.parametrize(
    ("verbs", "features", "cmd", "args", "said"),
    [
        (["stop"], ["leases"], "stop", LENT, "start"),
        (["start"], ["leases"], "stop", LENT, "stop"),
        (["stop", "start"], [], "stop", LENT, "too old"),
        (["stop", "start"], None, "stop", LENT, "too old"),
        (["stop", "start"], ["leases"], "extend", LENT, "not stopped for a time"),
        (["stop", "start"], ["leases"], "keep", {}, "not stopped for a time"),
    ],
)
def test_what_cannot_be_lent_is_denied_and_on_record(
    able: Server, operator: User, verbs: list[str], features: Any, cmd: str, args: dict[str, Any], said: str
) -> None:
    Service.objects.update(verbs=verbs)
    Newest.objects.update(facts={"features": features})
    with pytest.raises(Problem, match=said) as caught:
        ask(operator, able, cmd, NGINX, args=args)
    assert caught.value.status_code == 409
    assert AuditEntry.objects.get().event == "command.denied"


def test_a_stop_for_good_needs_nothing_of_it(able: Server, operator: User) -> None:
    Service.objects.update(verbs=["stop"])
    Newest.objects.update(facts={})
    assert ask(operator, able, "stop", NGINX).command.args == {}


def test_what_is_lent_already_is_not_lent_again(able: Server, operator: User) -> None:
    lend(able, operator)
    with pytest.raises(Problem, match="stopped for a time already"):
        ask(operator, able, "stop", NGINX, args=LENT)


# What the command's result says


def test_the_stop_begins_a_lease(able: Server, operator: User) -> None:
    lease = lend(able, operator)
    assert (lease.state, lease.target, lease.server) == (states.HELD, NGINX, able)
    assert lease.command.verdict == "stopped_for_a_time"
    assert events(able) == ["lease.started"]
    entry = AuditEntry.objects.get(event="lease.started")
    assert (entry.actor, entry.command, entry.reason) == ("agent srv-web-01", lease.command, "its disk")
    assert entry.facts == {"until": lease.until.isoformat()}


def test_a_stop_that_failed_leaves_none(able: Server, operator: User) -> None:
    finished(able, operator, "stop", LENT, after={**RUNNING, "settledSec": 5})
    finished(able, operator, "stop", LENT, outcome="failed", before=None, after=None, reason="not run: disk full")
    assert set(Command.objects.values_list("state", flat=True)) == {"failed"}
    assert not Lease.objects.exists()


def test_extending_moves_its_end_and_keeping_ends_it(able: Server, operator: User) -> None:
    lease = lend(able, operator, seconds=-100)
    leases.note_overdue()
    later = in_future(3600)
    extended = finished(able, operator, "extend", {"forSec": 3600}, until=later)
    assert (extended.state, extended.verdict) == ("succeeded", "extended")
    assert (again(lease).until.isoformat(), lease.overdue_at) == (later, None)
    kept = finished(able, operator, "keep", {})
    assert (kept.state, kept.verdict) == ("succeeded", "kept")
    assert again(lease).state == states.KEPT
    assert events(able) == ["lease.started", "lease.overdue", "lease.extended", "lease.kept"]


@pytest.mark.parametrize("cmd", ["extend", "keep"])
def test_a_change_that_was_not_made_leaves_it_as_it_is(able: Server, operator: User, cmd: str) -> None:
    lease = lend(able, operator)
    args = {"forSec": 3600} if cmd == "extend" else {}
    made = finished(able, operator, cmd, args, outcome="failed", reason="not run: no room", before=None, after=None)
    assert made.state == "failed"
    assert again(lease).state == states.HELD


# As time passes


def test_an_end_that_passed_untold_is_noted_once(able: Server, operator: User) -> None:
    lease = lend(able, operator, seconds=-61)
    Server.objects.update(state=SILENT)
    assert (leases.note_overdue(), leases.note_overdue()) == (1, 0)
    entry = AuditEntry.objects.get(event="lease.overdue")
    assert entry.facts == {"silentSince": able.newest.received_at.isoformat()}
    assert again(lease).state == states.HELD


def test_one_that_is_due_in_time_is_not_overdue(able: Server, operator: User) -> None:
    lend(able, operator, seconds=-30)
    assert leases.note_overdue() == 0


# Races


@pytest.mark.django_db(transaction=True)
def test_result_and_report_at_once_make_one_lease(able: Server, operator: User, agent: Client) -> None:
    made = ask(operator, able, "stop", NGINX, args=LENT).command
    lifecycle.claim(able)
    lifecycle.acknowledge(able, made.uuid)
    until = in_future(1200)
    body = {"target": NGINX, "command": str(made.uuid), "state": "held", "until": until}
    finish = partial(lifecycle.finish, able, made.uuid, result(before=RUNNING, after=DEAD, until=until))
    assert together(finish, lambda: tell(agent, body).status_code) == ["succeeded", 202]
    assert Lease.objects.count() == 1
    assert events(able) == ["lease.started"]


@pytest.mark.django_db(transaction=True)
def test_kept_and_started_at_once_end_it_once(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    keep = ask(operator, able, "keep", NGINX).command
    lifecycle.claim(able)
    lifecycle.acknowledge(able, keep.uuid)
    started = told(lease, "started", attempts=1, before=DEAD, after=RUNNING_ANEW)
    finish = partial(lifecycle.finish, able, keep.uuid, result(before=DEAD, after=DEAD))
    together(finish, lambda: tell(agent, started))
    assert again(lease).state in (states.KEPT, states.STARTED)
    assert len(events(able)) == 2
