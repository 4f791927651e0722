"""What people tell a rollout: halt, resume, retry, skip, end; and the moves themselves."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from actions import lifecycle
from actions import states as command_states
from actions.models import AuditEntry, Command
from actions.rollouts import advance, moves, states, ways_on
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor.problems import Problem
from servers.models import Server, ServerGroup
from tests.actions.making import ago, result
from tests.actions.rollouts.making import (
    BUSY,
    DONE,
    LEFT,
    TODO,
    WENT_WRONG,
    begun,
    deliver,
    events,
    fleet,
    obey,
    said,
    state,
    step,
    steps,
    tell,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    return fleet(web_group, 5)


@pytest.fixture
def halted(operator: User, servers: list[Server]) -> Rollout:
    rollout = begun(operator, 5)
    obey(servers[0], **WENT_WRONG)
    assert state(rollout) == states.HALTED
    return rollout


def test_retrying_tries_the_same_server_again_and_goes_on(
    halted: Rollout, operator: User, servers: list[Server]
) -> None:
    tell(operator, halted, states.RETRY)
    assert (state(halted), steps(halted)[:2]) == (states.RUNNING, [BUSY, TODO])
    assert Command.objects.filter(server=servers[0]).count() == 2
    for server in servers:
        obey(server)
    assert state(halted) == states.FINISHED
    assert events(halted)[1:3] == ["rollout.halted", "rollout.retried"]


def test_skipping_leaves_it_and_goes_on(halted: Rollout, operator: User, servers: list[Server]) -> None:
    tell(operator, halted, states.SKIP)
    assert steps(halted)[:2] == [LEFT, BUSY]
    for server in servers[1:]:
        obey(server)
    assert said(Rollout.objects.get()) == "Finished. 4 of 5 servers restarted. 1 was skipped."
    assert AuditEntry.objects.get(event="rollout.skipped").server == servers[0]


def test_ending_it_is_for_good(halted: Rollout, operator: User) -> None:
    tell(operator, halted, states.END)
    assert state(halted) == states.ENDED
    for way in states.WAYS_ON:
        with pytest.raises(Problem, match="over"):
            ways_on.tell(operator, halted, way, "because")
    advance.advance()
    assert Command.objects.count() == 1


def test_halting_by_hand_takes_back_and_resuming_asks_again(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5)
    tell(operator, rollout, states.HALT)
    assert (state(rollout), steps(rollout)) == (states.HALTED, [TODO] * 5)
    assert said(rollout) == "Halted by oleg. 0 of 5 servers restarted. 5 were not touched and stay as before."
    tell(operator, rollout, states.RESUME)
    assert steps(rollout)[:2] == [BUSY, TODO]
    states_now = Command.objects.order_by("id").values_list("state", flat=True)
    assert list(states_now) == [command_states.CANCELLED, command_states.QUEUED]


def test_ending_a_running_one_lets_what_is_at_work_end(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5)
    running = deliver(servers[0])
    tell(operator, rollout, states.END)
    assert steps(rollout)[0] == BUSY
    lifecycle.finish(servers[0], running.uuid, result())
    advance.advance()
    assert (state(rollout), steps(rollout)[:2]) == (states.ENDED, [DONE, TODO])


def test_an_unknown_outcome_that_settles_well_leaves_only_to_resume(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5)
    Command.objects.update(state=command_states.UNKNOWN)
    advance.advance()
    assert state(rollout) == states.HALTED
    Command.objects.update(state=command_states.SUCCEEDED, ended_at=ago(0))
    advance.advance()
    assert (state(rollout), steps(rollout)[0]) == (states.HALTED, DONE)
    assert ways_on.offered(rollout.state, 0) == [states.RESUME, states.END]
    tell(operator, rollout, states.RESUME)
    assert steps(rollout)[1] == BUSY


@pytest.mark.parametrize(
    ("way", "sentence"),
    [(states.RESUME, "retry it, or skip it"), (states.HALT, "halted already")],
)
def test_a_way_that_is_not_there_is_refused(halted: Rollout, operator: User, way: str, sentence: str) -> None:
    with pytest.raises(Problem, match=sentence) as raised:
        ways_on.tell(operator, halted, way, "because")
    assert raised.value.status_code == 409
    assert state(halted) == states.HALTED


def test_two_who_press_retry_cause_one(halted: Rollout, operator: User, admin: User) -> None:
    ways_on.tell(operator, halted, states.RETRY, "because", seen=1)
    with pytest.raises(Problem, match="moved on since you looked"):
        ways_on.tell(admin, halted, states.RETRY, "because", seen=1)
    advance.advance()
    assert Command.objects.count() == 2


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\0b"])
def test_a_way_on_needs_a_reason(halted: Rollout, operator: User, reason: str) -> None:
    with pytest.raises(Problem) as raised:
        ways_on.tell(operator, halted, states.RETRY, reason)
    assert raised.value.fields.keys() == {"reason"}


# The moves themselves


@pytest.mark.parametrize("old", states.STEP_STATES)
def test_a_step_moves_only_as_the_table_says(operator: User, web_group: ServerGroup, old: str) -> None:
    fleet(web_group, 2)
    rollout = begun(operator, 2)
    for new in states.STEP_STATES:
        RolloutStep.objects.filter(rollout=rollout, place=1).update(state=old)
        one = step(rollout, 1)
        if old in states.STEP_ALLOWED_FROM[new]:
            moves.move_step(one, new)
            assert step(rollout, 1).state == new
        else:
            with pytest.raises(moves.IllegalMove):
                moves.move_step(one, new)
            assert step(rollout, 1).state == old


def test_a_stale_mover_loses(operator: User, servers: list[Server]) -> None:
    stale = begun(operator, 5)
    tell(operator, Rollout.objects.get(), states.END)
    with pytest.raises(moves.IllegalMove):
        moves.finish(stale)
    with pytest.raises(moves.IllegalMove):
        moves.halt(stale, "by", {})
    with pytest.raises(moves.IllegalMove):
        moves.begin_batch(stale, 2)
    assert state(stale) == states.ENDED
