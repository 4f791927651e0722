"""How a rollout goes on, halts and is told to go on, by its rows alone."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User

from actions import ask, lifecycle
from actions import states as command_states
from actions.models import AuditEntry, Command
from actions.rollouts import advance, states
from actions.rollouts.models import Rollout
from servers.models import Newest, Scope, Server, ServerGroup, Service
from tests.actions.making import NGINX, ago, command, result
from tests.actions.rollouts.making import (
    BAD,
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


# Going on


def test_batch_after_batch_until_it_is_finished(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, batch="2")
    assert steps(rollout) == [BUSY, BUSY, TODO, TODO, TODO]
    obey(servers[1])
    assert steps(rollout) == [BUSY, DONE, TODO, TODO, TODO]
    obey(servers[0])
    assert steps(rollout) == [DONE, DONE, BUSY, BUSY, TODO]
    for server in servers[2:]:
        obey(server)
    assert state(rollout) == states.FINISHED
    assert said(rollout) == "Finished. 5 of 5 servers restarted."
    assert events(rollout) == ["rollout.started", "rollout.finished"]


def test_each_step_is_a_command_like_any_other(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, deliver_within=600)
    made = Command.objects.get()
    assert (made.rollout, made.asked_by, made.reason) == (rollout, operator, "New TLS certificate")
    assert made.asked_from == "198.51.100.23"
    assert (made.deliver_by - made.created_at).total_seconds() == 600
    assert AuditEntry.objects.filter(command=made, event="command.queued", actor="oleg").count() == 1


def test_the_pause_is_waited_for_on_the_rows(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, pause=30)
    obey(servers[0])
    assert steps(rollout) == [DONE, TODO, TODO, TODO, TODO]
    rollout.refresh_from_db()
    assert rollout.next_at is not None
    assert said(rollout).startswith("Holding after batch 1 of 5.")
    advance.advance()
    assert Command.objects.count() == 1
    Rollout.objects.update(next_at=ago(1))
    advance.advance()
    assert steps(rollout)[1] == BUSY


def test_the_end_of_a_command_takes_it_on_at_once(
    operator: User, servers: list[Server], django_capture_on_commit_callbacks: object
) -> None:
    rollout = begun(operator, 5)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        lifecycle.finish(servers[0], deliver(servers[0]).uuid, result())
    assert steps(rollout)[:2] == [DONE, BUSY]


def test_a_turn_asks_for_many_but_not_for_all_at_once(operator: User, web_group: ServerGroup) -> None:
    fleet(web_group, 45)
    rollout = begun(operator, 45, batch="100%")
    assert steps(rollout) == [BUSY] * 45


# Halting


def test_a_failure_halts_it_and_the_untouched_stay_untouched(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5)
    obey(servers[0])
    obey(servers[1], **WENT_WRONG)
    assert state(rollout) == states.HALTED
    assert steps(rollout) == [DONE, BAD, TODO, TODO, TODO]
    advance.advance()
    assert Command.objects.count() == 2
    assert said(rollout) == (
        "Halted in batch 2 of 5: nginx did not restart on web-2. "
        "1 of 5 servers restarted. 1 failed. 3 were not touched and stay as before."
    )
    assert events(rollout) == ["rollout.started", "rollout.halted"]


def test_what_no_agent_has_yet_is_taken_back(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, batch="3")
    running = deliver(servers[1])
    obey(servers[0], **WENT_WRONG)
    assert steps(rollout) == [BAD, BUSY, TODO, TODO, TODO]
    assert Command.objects.get(server=servers[2]).state == command_states.CANCELLED
    lifecycle.finish(servers[1], running.uuid, result())
    advance.advance()
    assert steps(rollout) == [BAD, DONE, TODO, TODO, TODO]
    assert state(rollout) == states.HALTED


def test_so_many_failures_may_be_allowed(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, max_failures=2)
    obey(servers[0], **WENT_WRONG)
    assert state(rollout) == states.RUNNING
    obey(servers[1])
    obey(servers[2], **WENT_WRONG)
    assert state(rollout) == states.HALTED
    assert "nginx did not restart on web-1, and on 1 more" in said(rollout)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("expired", "web-1 did not take the command in time"),
        ("refused", "the agent of web-1 refused"),
        ("cancelled", "the command on web-1 was taken back"),
        ("unknown", "the outcome on web-1 is unknown"),
    ],
)
def test_every_other_ending_halts_it_too(operator: User, servers: list[Server], how: str, why: str) -> None:
    rollout = begun(operator, 5)
    Command.objects.update(state=how)
    advance.advance()
    assert state(rollout) == states.HALTED
    assert why in said(rollout)


def test_a_service_that_does_not_hold_until_the_next_batch_halts_it(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5, pause=30)
    obey(servers[0])
    Service.objects.filter(server=servers[0]).update(active_state="failed", main_pid=None)
    advance.advance()
    assert state(rollout) == states.RUNNING, "the list is older than the command"
    Newest.objects.filter(server=servers[0]).update(services_at=ago(-1))
    advance.advance()
    assert state(rollout) == states.HALTED
    assert "nginx on web-1 became failed afterwards" in said(rollout)


def test_another_verb_on_the_service_halts_it(operator: User, admin: User, servers: list[Server]) -> None:
    ask.ask(admin, servers[0], "stop", NGINX)
    rollout = begun(operator, 5)
    assert state(rollout) == states.HALTED
    assert "ada asked to stop it" in step(rollout, 0).facts["said"]
    assert AuditEntry.objects.filter(event="command.denied", actor="oleg").count() == 1


def test_the_same_verb_is_joined(operator: User, admin: User, servers: list[Server]) -> None:
    theirs = ask.ask(admin, servers[0], "restart", NGINX).command
    rollout = begun(operator, 5)
    assert (step(rollout, 0).command, step(rollout, 0).joined) == (theirs, True)
    obey(servers[0])
    assert steps(rollout)[:2] == [DONE, BUSY]


def test_a_command_of_somebody_else_is_never_taken_back(operator: User, admin: User, servers: list[Server]) -> None:
    theirs = ask.ask(admin, servers[1], "restart", NGINX).command
    begun(operator, 5, batch="2")
    obey(servers[0], **WENT_WRONG)
    theirs.refresh_from_db()
    assert theirs.state == command_states.QUEUED


@pytest.mark.parametrize(("policy", "found"), [("skip", [LEFT, BUSY]), ("halt", [BAD, TODO])])
def test_a_silent_server_is_skipped_or_counts(
    operator: User, servers: list[Server], policy: str, found: list[str]
) -> None:
    Server.objects.filter(pk=servers[0].pk).update(state="silent")
    rollout = begun(operator, 5, silent=policy)
    assert steps(rollout)[:2] == found
    assert not Command.objects.filter(server=servers[0]).exists()


@pytest.mark.parametrize("lost", ["role", "scope", "active", "user"])
def test_whoever_loses_the_right_halts_it(operator: User, servers: list[Server], lost: str) -> None:
    rollout = begun(operator, 5)
    if lost == "role":
        operator.groups.set([Group.objects.get_or_create(name="viewer")[0]])
    elif lost == "scope":
        Scope.objects.get(user=operator).groups.clear()
    elif lost == "active":
        User.objects.filter(pk=operator.pk).update(is_active=False)
    else:
        Rollout.objects.update(led_by=None)
    obey(servers[0])
    assert state(rollout) == states.HALTED
    assert said(rollout).startswith("Halted: oleg may not act on web-2 any more.")
    assert steps(rollout) == [DONE, TODO, TODO, TODO, TODO]


def test_somebody_else_may_take_it_over(operator: User, admin: User, servers: list[Server]) -> None:
    rollout = begun(operator, 5)
    User.objects.filter(pk=operator.pk).update(is_active=False)
    obey(servers[0])
    tell(admin, rollout, states.RESUME)
    assert Command.objects.get(server=servers[1]).asked_by == admin
    assert events(rollout)[-1] == "rollout.resumed"


def test_a_command_that_is_no_rollouts_takes_nothing_on(web1: Server) -> None:
    one = command(web1, command_states.RUNNING)
    lifecycle.finish(web1, one.uuid, result())
    assert advance.advance() == 0
