"""Takes rollouts forward: a worker step, and at once when one of their commands ends or a probe is answered.

What is true is in the rows alone. A turn locks its rollout, looks, and does what is next in one transaction: asking for
a command and noting it in its step commit together, so that whatever is killed in between, nothing is asked twice.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from actions import ask
from actions import states as command_states
from actions.models import Command, Read
from actions.rollouts import checks, gate, leader, moves, probe, states
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor.problems import Problem
from servers.models import Service
from servers.states import SILENT

ASKS_A_TURN = 20  # so that nobody waits long for the rollout's row
MOST_TURNS = 200
STEPS = ("server", "server__newest", "command", "probe_read")


def not_at_rest() -> QuerySet[Rollout]:
    """Rollouts in which there may be something to do."""
    running = Rollout.objects.filter(state=states.RUNNING).values("pk")
    at_work = RolloutStep.objects.filter(state__in=states.AT_WORK).values("rollout")
    unknown = RolloutStep.objects.filter(state=states.FAILED, why=command_states.UNKNOWN)
    settled = unknown.filter(rollout__state=states.HALTED, command__state__in=command_states.ENDED).values("rollout")
    return Rollout.objects.filter(pk__in=running.union(at_work, settled))  # OR would read all rollouts there ever were


def advance() -> int:
    """Worker step: take every rollout that is not at rest as far as it goes now; how many turns that took."""
    return sum(advance_one(pk) for pk in not_at_rest().order_by("pk").values_list("pk", flat=True))


def advance_one(pk: int) -> int:
    """Take one rollout as far as it goes now; nothing if another worker has it."""
    turns = 0
    while turns < MOST_TURNS and _turn(pk):
        turns += 1
    return turns


def nudge(command: Command) -> None:
    """A command of a rollout has come to an end: go on when that commits."""
    if command.rollout_id and command.state not in command_states.ACTIVE:
        transaction.on_commit(partial(advance_one, command.rollout_id), robust=True)


def hear(read: Read) -> None:
    """The probe of a step is answered: go on when that commits."""
    if read.kind == probe.KIND:
        of_it = RolloutStep.objects.filter(probe_read=read, state=states.CHECKING)
        for pk in of_it.values_list("rollout_id", flat=True):
            transaction.on_commit(partial(advance_one, pk), robust=True)


def _turn(pk: int) -> bool:
    """One look and what follows from it; whether there may be more to do."""
    with transaction.atomic():
        rollout = moves.locked(pk, wait=False)
        if rollout is None:
            return False
        steps = list(rollout.steps.select_related(*STEPS).order_by("place"))
        for step in steps:
            _settle(rollout, step)
        more = checks.go_on(rollout, steps)
        return (rollout.state == states.RUNNING and _go_on(rollout, steps)) or more


def _go_on(rollout: Rollout, steps: list[RolloutStep]) -> bool:
    failed = [step for step in steps if step.state == states.FAILED]
    if len(failed) >= rollout.max_failures:
        moves.halt(rollout, "failed", {"servers": [step.server.agent_id for step in failed]})
        return False
    open_batches = [step.batch for step in steps if step.state in states.UNFINISHED]
    if not open_batches:
        moves.finish(rollout)
        return False
    current = min(open_batches)
    if current > rollout.batch > 0:
        return _at_the_gate(rollout, current, [step for step in steps if step.batch == rollout.batch])
    if current != rollout.batch:
        moves.begin_batch(rollout, current)
    waiting = [step for step in steps if step.batch == current and step.state == states.TODO]
    return _ask_some(rollout, waiting)


def _at_the_gate(rollout: Rollout, following: int, passed: list[RolloutStep]) -> bool:
    """Between two batches: what has passed must hold until the pause is over."""
    if _look_again(passed):
        return True
    now = timezone.now()
    if rollout.next_at is None and any(step.command for step in passed):
        moves.hold(rollout, now + timedelta(seconds=rollout.pause_sec))
    if rollout.next_at is not None and rollout.next_at > now:
        return False
    moves.begin_batch(rollout, following)
    return True


def _look_again(passed: list[RolloutStep]) -> int:
    """Fail what succeeded and did not stay so; how many did not."""
    done = [step for step in passed if step.state == states.SUCCEEDED and step.command]
    named = Service.objects.filter(server__in=[step.server_id for step in done])
    target = done[0].command.target if done and done[0].command else ""
    listed = {service.server_id: service for service in named.filter(name=target)}
    lost = 0
    for step in done:
        service, command = listed.get(step.server_id), step.command
        if service is None or command is None or command.ended_at is None:
            continue
        newest = getattr(step.server, "newest", None)
        seen = gate.Seen(
            service.active_state,
            service.main_pid,
            newest.services_at if newest else None,
            step.server.state == SILENT,
        )
        if found := gate.contradiction(command.evidence.get("after") or {}, command.ended_at, seen):
            moves.move_step(step, states.FAILED, *found)
            lost += 1
    return lost


def _ask_some(rollout: Rollout, waiting: list[RolloutStep]) -> bool:
    for step in waiting[:ASKS_A_TURN]:
        if not leader.may_act(rollout, step.server):
            moves.halt(rollout, "lost_rights", {"who": rollout.led_by_name, "server": step.server.agent_id})
            return False
        if _ask(rollout, step) == states.FAILED:
            return True  # look again: it may be one failure too many
    return len(waiting) > ASKS_A_TURN or any(step.state != states.ASKED for step in waiting)


def _ask(rollout: Rollout, step: RolloutStep) -> str:
    """Ask for the step's command; the state the step comes to."""
    now = timezone.now()
    if step.server.state == SILENT and rollout.silent == states.SKIP_SILENT:
        moves.skip_silent(rollout, step)
    elif step.server.state == SILENT:
        moves.move_step(step, states.FAILED, "silent", ended_at=now)
    elif rollout.probe and not probe.able([step.server]):
        moves.move_step(step, states.FAILED, "probe_impossible", command=None, ended_at=now)
    else:
        try:
            asked = ask.ask(
                rollout.led_by,
                step.server,
                rollout.cmd,
                rollout.target,
                reason=rollout.reason,
                deliver_within=rollout.deliver_within_sec,
                execute_within=rollout.execute_within_sec,
                typed=rollout.typed,
                address=rollout.led_from,
                rollout=rollout,
                named=rollout.led_by_name,
            )
        except Problem as problem:
            moves.move_step(step, states.FAILED, "not_asked", {"said": problem.sentence}, command=None, ended_at=now)
        else:
            moves.move_step(step, states.ASKED, command=asked.command, joined=asked.joined, began_at=now, ended_at=None)
    return step.state


def _settle(rollout: Rollout, step: RolloutStep) -> None:
    """Bring the step to where its command is; an outcome that was unknown may have been settled since."""
    command = step.command
    if command is None or command.state in command_states.ACTIVE:
        return
    open_still = step.state == states.FAILED and step.why == command_states.UNKNOWN
    if step.state == states.ASKED or (open_still and command.state in command_states.ENDED):
        now = timezone.now()
        if command.state == command_states.SUCCEEDED and rollout.probe:
            checks.begin(step)
        elif command.state == command_states.SUCCEEDED:
            moves.move_step(step, states.SUCCEEDED, ended_at=now)
        else:
            moves.move_step(step, states.FAILED, command.state, ended_at=now)
