"""Every move of a command: which are allowed, what each writes, and what comes twice or too late."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions import lifecycle, states, verbs
from actions.models import AuditEntry, Command
from pmonitor import live
from pmonitor.problems import Problem
from servers.models import Server
from tests.actions.making import DEAD, NGINX, RUNNING, ago, command, result

pytestmark = pytest.mark.django_db

LEGAL = {
    ("queued", "delivered"),
    ("queued", "cancelled"),
    ("queued", "expired"),
    ("queued", "refused"),
    ("delivered", "queued"),
    ("delivered", "running"),
    ("delivered", "refused"),
    ("delivered", "expired"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "unknown"),
    ("unknown", "succeeded"),
    ("unknown", "failed"),
}


def moves(of: Command) -> list[tuple[str, str, str, str]]:
    entries = AuditEntry.objects.filter(command=of).order_by("id")
    return [(entry.event, entry.from_state, entry.to_state, entry.actor) for entry in entries]


@pytest.mark.parametrize(("old", "new"), list(itertools.product(states.STATES, states.STATES)))
def test_only_the_drawn_moves_can_be_made(web1: Server, old: str, new: str) -> None:
    there = command(web1, old)
    if (old, new) in LEGAL:
        lifecycle._move(there, new, lifecycle.HUB)
        assert moves(there) == [(f"command.{new}", old, new, "hub")]
    else:
        with pytest.raises(lifecycle.IllegalMove):
            lifecycle._move(there, new, lifecycle.HUB)
        assert moves(there) == []
    there.refresh_from_db()
    assert there.state == (new if (old, new) in LEGAL else old)


def test_a_move_from_a_state_that_is_over_is_refused(web1: Server) -> None:
    queued = command(web1)
    stale = Command.objects.get(pk=queued.pk)
    lifecycle.claim(web1)
    with pytest.raises(lifecycle.IllegalMove):
        lifecycle.expire(stale)
    assert Command.objects.get(pk=queued.pk).state == states.DELIVERED


def test_a_move_from_a_state_it_came_back_to_is_refused(web1: Server) -> None:
    stale = command(web1, states.DELIVERED, lease_until=ago(1))
    lifecycle.requeue(Command.objects.get(pk=stale.pk))
    lifecycle.claim(web1)
    with pytest.raises(lifecycle.IllegalMove):
        lifecycle.requeue(stale)


def test_queue_records_who_where_and_why(web1: Server, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator, "198.51.100.23")
    queued = lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=actor, reason="new certificate")
    entry = AuditEntry.objects.get(command=queued)
    assert (entry.event, entry.from_state, entry.to_state) == ("command.queued", "", "queued")
    assert (entry.actor, entry.actor_user, entry.address) == ("Oleg", operator, "198.51.100.23")
    assert (entry.server, entry.cmd, entry.target, entry.reason) == (web1, "restart", NGINX, "new certificate")
    assert (queued.deliver_by - queued.created_at).total_seconds() == 60


def test_a_command_goes_its_whole_way_with_an_entry_for_each_move(web1: Server, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator)
    queued = lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=actor)
    (taken,) = lifecycle.claim(web1, address="192.0.2.7")
    assert lifecycle.acknowledge(web1, taken.uuid, timezone.now(), "192.0.2.7") == states.RUNNING
    assert lifecycle.finish(web1, taken.uuid, result(), "192.0.2.7") == states.SUCCEEDED
    agent = "agent srv-web-01"
    assert moves(queued) == [
        ("command.queued", "", "queued", "Oleg"),
        ("command.delivered", "queued", "delivered", agent),
        ("command.running", "delivered", "running", agent),
        ("command.succeeded", "running", "succeeded", agent),
    ]
    queued.refresh_from_db()
    assert queued.verdict == "restarted"
    assert queued.facts["mainPid"] == 456
    assert queued.evidence["after"]["startTicks"] == 9001
    assert queued.ended_at is not None
    assert set(AuditEntry.objects.filter(command=queued, actor=agent).values_list("address", flat=True)) == {
        "192.0.2.7"
    }


def test_the_execution_deadline_counts_from_the_start(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED, created_at=ago(50), execute_within_sec=30)
    lifecycle.acknowledge(web1, delivered.uuid)
    delivered.refresh_from_db()
    assert delivered.execute_by is not None
    assert delivered.started_at is not None
    assert (delivered.execute_by - delivered.started_at).total_seconds() == 30


def test_claim_takes_the_oldest_first_and_no_more_than_asked(web1: Server) -> None:
    first, second = command(web1, target="a.service"), command(web1, target="b.service")
    assert lifecycle.claim(web1, limit=1) == [first]
    assert lifecycle.claim(web1, limit=5) == [second]
    assert lifecycle.claim(web1) == []


def test_claim_leaves_other_servers_commands(web1: Server, web2: Server) -> None:
    command(web2)
    assert lifecycle.claim(web1) == []


def test_a_command_past_its_delivery_deadline_is_never_delivered(web1: Server) -> None:
    command(web1, deliver_by=ago(0.001))
    assert lifecycle.claim(web1) == []


def test_acknowledging_twice_is_running_twice_and_one_move(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED)
    assert [lifecycle.acknowledge(web1, delivered.uuid) for _ in range(2)] == [states.RUNNING] * 2
    assert len(moves(delivered)) == 1


def test_only_the_start_that_was_acknowledged_runs(web1: Server) -> None:
    delivered, first = command(web1, states.DELIVERED), timezone.now()
    assert [lifecycle.acknowledge(web1, delivered.uuid, first) for _ in range(2)] == [states.RUNNING] * 2
    with pytest.raises(Problem) as caught:  # a second agent with the same token
        lifecycle.acknowledge(web1, delivered.uuid, ago(1))
    assert caught.value.status_code == 409
    assert lifecycle.finish(web1, delivered.uuid, result()) == states.SUCCEEDED


@pytest.mark.parametrize(
    "state", [states.QUEUED, states.CANCELLED, states.EXPIRED, states.SUCCEEDED, states.FAILED, states.UNKNOWN]
)
def test_what_may_not_run_is_not_acknowledged(web1: Server, state: str) -> None:
    there = command(web1, state)
    assert lifecycle.acknowledge(web1, there.uuid) == state
    assert moves(there) == []


def test_a_late_acknowledgement_within_the_delivery_deadline_runs(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED, lease_until=ago(1))
    lifecycle.requeue(Command.objects.get(pk=delivered.pk))
    assert lifecycle.acknowledge(web1, delivered.uuid) == states.RUNNING
    assert [to for _event, _from, to, _by in moves(delivered)] == ["queued", "delivered", "running"]


def test_an_acknowledgement_after_lease_and_deadline_expires_it(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED, lease_until=ago(1), deliver_by=ago(2))
    assert lifecycle.acknowledge(web1, delivered.uuid) == states.EXPIRED
    assert moves(delivered) == [("command.expired", "delivered", "expired", "hub")]


def test_an_acknowledgement_within_the_lease_counts_past_the_deadline(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED, deliver_by=ago(2))
    assert lifecycle.acknowledge(web1, delivered.uuid) == states.RUNNING


@pytest.mark.parametrize("call", ["acknowledge", "finish"])
def test_another_servers_command_is_not_found(web1: Server, web2: Server, call: str) -> None:
    theirs = command(web2, states.DELIVERED)
    args: list[Any] = [result()] if call == "finish" else []
    with pytest.raises(Problem) as caught:
        getattr(lifecycle, call)(web1, theirs.uuid, *args)
    assert caught.value.status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == states.DELIVERED


def test_an_unknown_id_is_not_found(web1: Server) -> None:
    with pytest.raises(Problem) as caught:
        lifecycle.finish(web1, uuid.uuid4(), result())
    assert caught.value.status_code == 404


def test_the_same_result_again_gets_the_same_answer_and_changes_nothing(web1: Server) -> None:
    running = command(web1, states.RUNNING)
    assert lifecycle.finish(web1, running.uuid, result()) == states.SUCCEEDED
    ended = Command.objects.values().get(pk=running.pk)
    assert lifecycle.finish(web1, running.uuid, result()) == states.SUCCEEDED
    assert Command.objects.values().get(pk=running.pk) == ended
    assert len(moves(running)) == 1


def test_a_result_without_acknowledgement_makes_both_moves(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED)
    assert lifecycle.finish(web1, delivered.uuid, result()) == states.SUCCEEDED
    assert [to for _event, _from, to, _by in moves(delivered)] == ["running", "succeeded"]


def test_a_command_that_never_began_stays_delivered(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED)
    said = result(outcome="interrupted", exitCode=None, before=None, after=None)
    assert lifecycle.finish(web1, delivered.uuid, said) == states.DELIVERED
    assert moves(delivered) == []


def test_nobody_ends_a_command_that_was_never_handed_out(web1: Server) -> None:
    queued = command(web1)
    assert lifecycle.finish(web1, queued.uuid, result()) == states.QUEUED
    assert lifecycle.finish(web1, queued.uuid, result(outcome="refused")) == states.QUEUED


def test_a_late_result_settles_an_unknown_outcome(web1: Server) -> None:
    open_still = command(web1, states.UNKNOWN, verdict="timed_out")
    assert lifecycle.finish(web1, open_still.uuid, result()) == states.SUCCEEDED
    assert moves(open_still) == [("command.succeeded", "unknown", "succeeded", "agent srv-web-01")]


def test_evidence_that_proves_nothing_is_kept_once(web1: Server) -> None:
    open_still = command(web1, states.UNKNOWN, verdict="timed_out")
    said = result(outcome="interrupted", after=None)
    assert [lifecycle.finish(web1, open_still.uuid, said) for _ in range(2)] == [states.UNKNOWN] * 2
    open_still.refresh_from_db()
    assert open_still.verdict == "interrupted"
    assert open_still.evidence["before"] == RUNNING
    assert [event for event, *_ in moves(open_still)] == ["command.evidence"]


def test_a_refusal_ends_a_delivered_command_with_its_reason(web1: Server) -> None:
    delivered = command(web1, states.DELIVERED)
    said = result(outcome="refused", reason="the owner does not allow it", before=None, after=None, exitCode=None)
    assert lifecycle.finish(web1, delivered.uuid, said) == states.REFUSED
    delivered.refresh_from_db()
    assert delivered.facts == {"reason": "the owner does not allow it"}


def test_a_refusal_of_a_running_command_is_a_failure(web1: Server) -> None:
    running = command(web1, states.RUNNING)
    assert lifecycle.finish(web1, running.uuid, result(outcome="refused")) == states.FAILED
    running.refresh_from_db()
    assert running.verdict == "refused_late"


def test_exit_zero_with_contrary_evidence_fails(web1: Server) -> None:
    running = command(web1, states.RUNNING)
    assert lifecycle.finish(web1, running.uuid, result(after=DEAD)) == states.FAILED


def test_a_queued_command_can_be_cancelled(web1: Server, operator: User) -> None:
    queued = command(web1)
    lifecycle.cancel(operator, queued, "198.51.100.23")
    assert moves(queued) == [("command.cancelled", "queued", "cancelled", "oleg")]
    assert lifecycle.claim(web1) == []


@pytest.mark.parametrize("state", [state for state in states.STATES if state != states.QUEUED])
def test_what_is_not_queued_cannot_be_cancelled(web1: Server, operator: User, state: str) -> None:
    there = command(web1, state)
    with pytest.raises(Problem) as caught:
        lifecycle.cancel(operator, there)
    assert caught.value.status_code == 409
    assert str(verbs.STATE_WORDS[state]).lower() in caught.value.sentence
    assert moves(there) == []


def test_a_move_is_announced_after_its_commit(
    web1: Server, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(live, "_send", sent.extend)
    queued = command(web1)
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.claim(web1)
        assert sent == []
    assert {f"command:{queued.pk}", f"commands:{web1.pk}", f"services:{web1.pk}", "fleet:all", "audit:all"} <= set(sent)


def test_a_claim_costs_one_statement_however_many_it_takes(web1: Server, django_assert_num_queries: Any) -> None:
    for number in range(3):
        command(web1, target=f"app-{number}.service")
    with django_assert_num_queries(1):
        lifecycle.claim(web1)
