"""What agents report of services that are stopped for a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import lifecycle, states
from actions.ask import ask
from actions.models import AuditEntry, Lease
from servers.models import Server
from tests.actions.lending import LENT, again, events, in_future, lend, tell, told
from tests.actions.making import DEAD, NGINX, RUNNING, RUNNING_ANEW, command, result
from tests.servers.reports import TS, post, report

pytestmark = pytest.mark.django_db


def test_a_report_may_be_the_first_to_tell(able: Server, operator: User, agent: Client) -> None:
    made = ask(operator, able, "stop", NGINX, args=LENT).command
    one = {"target": NGINX, "command": str(made.uuid), "state": "held", "until": in_future(1200)}
    tell(agent, one)
    assert Lease.objects.get().command == made
    lifecycle.claim(able)
    lifecycle.acknowledge(able, made.uuid)
    lifecycle.finish(able, made.uuid, result(before=RUNNING, after=DEAD, until=one["until"]))
    assert events(able) == ["lease.started"]


def test_that_it_was_started_again_is_told_with_proof_once(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    ended = told(lease, "started", attempts=1, endedAt=in_future(0), before=DEAD, after=RUNNING_ANEW)
    tell(agent, ended)
    tell(agent, ended)
    tell(agent, ended, ts=TS + 10)
    tell(agent, told(lease, "held"), ts=TS + 20)
    assert (again(lease).state, lease.verdict, lease.attempts) == (states.STARTED, "started", 1)
    assert lease.facts["mainPid"] == 456
    assert lease.evidence["after"]["activeState"] == "active"
    assert events(able) == ["lease.started", "lease.ended"]
    assert AuditEntry.objects.get(event="lease.ended").facts["how"] == "started"


def test_what_was_seen_is_believed_and_not_the_word(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    tell(agent, told(lease, "started", attempts=1, before=DEAD, after={**DEAD, "activeState": "failed"}))
    assert (again(lease).state, lease.verdict) == (states.NOT_STARTED, "not_started")
    assert events(able) == ["lease.started", "lease.failed"]


@pytest.mark.parametrize(
    ("state", "event"),
    [("booted", "ended"), ("others", "ended"), ("command", "ended"), ("kept", "kept"), ("failed", "failed")],
)
def test_each_other_end_is_recorded_once(able: Server, operator: User, agent: Client, state: str, event: str) -> None:
    lease = lend(able, operator)
    for number in range(2):
        tell(agent, told(lease, state, reason="exit code 1"), ts=TS + number)
    assert (again(lease).state, lease.reason) == (state, "exit code 1")
    assert lease.ended_at
    assert events(able) == ["lease.started", f"lease.{event}"]


def test_a_failed_start_is_shown_while_it_is_tried_again(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    tell(agent, told(lease, "starting", attempts=2, reason="exit code 1"))
    assert (again(lease).state, lease.attempts, lease.reason) == ("starting", 2, "exit code 1")
    assert events(able) == ["lease.started"]


def test_an_end_told_anew_moves_it_and_a_jitter_does_not(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    first = lease.until
    tell(agent, told(lease, until=(first + timedelta(seconds=1)).isoformat()))
    assert again(lease).until == first
    tell(agent, told(lease, until=(first + timedelta(hours=8)).isoformat()), ts=TS + 10)
    assert again(lease).until == first + timedelta(hours=8)


def test_an_older_sample_only_tells_ends(able: Server, operator: User, agent: Client) -> None:
    lease = lend(able, operator)
    tell(agent, told(lease), ts=TS + 100, sentAt=TS + 100)
    tell(agent, told(lease, "starting"), ts=TS, sentAt=TS + 100)
    tell(agent, ts=TS + 1, sentAt=TS + 101)
    assert again(lease).state == states.HELD
    tell(agent, told(lease, "others"), ts=TS + 2, sentAt=TS + 102)
    assert again(lease).state == states.OTHERS


def test_one_its_agent_knows_no_more_is_lost_and_one_not_yet_told_is_not(
    able: Server, operator: User, agent: Client
) -> None:
    lease = lend(able, operator)
    tell(agent)
    assert again(lease).state == states.HELD, "this sample may be from before the stop"
    tell(agent, told(lease), ts=TS + 10)
    post(agent, report(ts=TS + 20))
    assert again(lease).state == states.HELD, "a report need not speak of leases"
    tell(agent, ts=TS + 30)
    assert again(lease).state == states.LOST
    assert events(able) == ["lease.started", "lease.failed"]


def test_of_another_servers_command_or_a_stop_for_good_no_lease_is_made(
    able: Server, web2: Server, agent: Client
) -> None:
    others = command(web2, states.SUCCEEDED, cmd="stop", args=LENT)
    for_good = command(able, states.SUCCEEDED, cmd="stop")
    for one in (others, for_good):
        tell(agent, {"target": NGINX, "command": str(one.uuid), "state": "held", "until": in_future(60)})
    assert not Lease.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"command": "x"}, "leases[0].command"),
        ({"state": "gone"}, "leases[0].state"),
        ({"until": "soon"}, "leases[0].until"),
        ({"attempts": -1}, "leases[0].attempts"),
    ],
)
def test_a_wrong_field_is_named(able: Server, operator: User, agent: Client, wrong: dict[str, Any], field: str) -> None:
    answer = post(agent, report(leases=[{**told(lend(able, operator)), **wrong}]))
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
