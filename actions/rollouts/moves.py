"""The only module that changes a rollout or its steps: conditional moves, with the audit entry in their transaction.

Whoever moves one has locked its row (`locked`), so that a worker's turn and a person's word come one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.utils import timezone

from actions import audit, lifecycle
from actions import states as command_states
from actions.lifecycle import HUB, Actor
from actions.models import Command, Read
from actions.rollouts import states
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor import live, logs
from servers.models import Server

log = logs.get(__name__)


class IllegalMove(Exception):
    """The rollout or step is not, or no longer, where this move could start."""


def locked(pk: int, wait: bool = True) -> Rollout | None:
    """The rollout, locked until the transaction ends; None: there is none, or (not wait) another one has it."""
    rows = Rollout.objects.select_for_update(no_key=True, skip_locked=not wait, of=("self",))
    rollout: Rollout | None = rows.select_related("led_by").filter(pk=pk).first()
    return rollout


def start(actor: Actor, batches: list[list[Server]], **columns: Any) -> Rollout:
    """Record a rollout over these servers, which begins when that commits."""
    now = timezone.now()
    rollout: Rollout = Rollout.objects.create(
        **columns,
        asked_by=actor.user,
        asked_by_name=actor.name,
        led_by=actor.user,
        led_by_name=actor.name,
        led_from=actor.address,
        created_at=now,
        changed_at=now,
    )
    numbered = [(number, server) for number, batch in enumerate(batches, 1) for server in batch]
    RolloutStep.objects.bulk_create(
        RolloutStep(rollout=rollout, server=server, batch=number, place=place)
        for place, (number, server) in enumerate(numbered)
    )
    facts: dict[str, Any] = {"servers": len(numbered), "batches": len(batches), "selection": rollout.selection}
    facts |= {"probe": rollout.probe} if rollout.probe else {}
    _record(rollout, "started", actor, facts, reason=rollout.reason)
    return rollout


def halt(rollout: Rollout, why: str, facts: dict[str, Any], actor: Actor = HUB, reason: str = "") -> None:
    """Touch nothing more; what is not delivered yet is taken back."""
    _move(rollout, states.HALTED, why, facts)
    taken = _take_back(rollout, actor)
    _record(rollout, "halted", actor, {"why": why, **facts, "takenBack": taken}, reason)


def resume(rollout: Rollout, actor: Actor, reason: str) -> None:
    """Go on, in this person's name."""
    _lead(rollout, actor)
    _record(rollout, "resumed", actor, {}, reason)


def retry(rollout: Rollout, failed: Iterable[RolloutStep], actor: Actor, reason: str) -> None:
    """Try what failed once more and go on, in this person's name."""
    _lead(rollout, actor)
    for step in failed:
        before = {"was": step.why, "command": step.command_id}
        move_step(step, states.TODO, "", {"attempt": step.facts.get("attempt", 1) + 1}, began_at=None, ended_at=None)
        _record(rollout, "retried", actor, before, reason, step.server)


def skip(rollout: Rollout, failed: Iterable[RolloutStep], actor: Actor, reason: str) -> None:
    """Leave what failed as it is and go on, in this person's name."""
    _lead(rollout, actor)
    for step in failed:
        move_step(step, states.SKIPPED, "given_up", step.facts | {"was": step.why, "by": actor.name})
        _record(rollout, "skipped", actor, {"was": step.why, "command": step.command_id}, reason, step.server)


def skip_silent(rollout: Rollout, step: RolloutStep) -> None:
    """A silent server is passed over, as its rollout was told to do."""
    move_step(step, states.SKIPPED, "silent", ended_at=timezone.now())
    _record(rollout, "skipped", HUB, {"why": "silent"}, "", step.server)


def end(rollout: Rollout, actor: Actor, reason: str) -> None:
    """It is over; what is at work comes to its own end."""
    _move(rollout, states.ENDED, "by", {"who": actor.name})
    taken = _take_back(rollout, actor)
    _record(rollout, "ended", actor, {"untouched": _untouched(rollout), "takenBack": taken}, reason)


def finish(rollout: Rollout) -> None:
    """Every step is through."""
    _move(rollout, states.FINISHED, "", {})
    _record(rollout, "finished", HUB, {"untouched": _untouched(rollout)})


def hold(rollout: Rollout, until: datetime) -> None:
    """The batch is through: wait before the next one."""
    _place(rollout, next_at=until)


def begin_batch(rollout: Rollout, batch: int) -> None:
    """The gate is passed: this batch's turn."""
    _place(rollout, batch=batch, next_at=None)


def move_step(step: RolloutStep, new: str, why: str = "", facts: dict[str, Any] | None = None, **columns: Any) -> None:
    """Make one move of a step, from exactly where it was read."""
    kept = {key: value for key, value in step.facts.items() if key == "attempt"}
    columns |= {"state": new, "why": why, "facts": {**kept, **(facts or {})}}
    here = RolloutStep.objects.filter(pk=step.pk, state=step.state)
    if not here.filter(state__in=states.STEP_ALLOWED_FROM[new]).update(**columns):
        raise IllegalMove(f"step {step.pk}: no way from {step.state} to {new}")
    for name, value in columns.items():
        setattr(step, name, value)
    live.announce(f"rollout:{step.rollout_id}")


def note_look(step: RolloutStep, read: Read) -> None:
    """The agent was asked for the step's probe."""
    if not RolloutStep.objects.filter(pk=step.pk, state=states.CHECKING).update(probe_read=read):
        raise IllegalMove(f"step {step.pk} is not checking")
    step.probe_read = read


def _move(rollout: Rollout, new: str, why: str, facts: dict[str, Any], **columns: Any) -> None:
    columns |= {"state": new, "why": why, "facts": facts, "changed_at": timezone.now(), "moves": rollout.moves + 1}
    here = Rollout.objects.filter(pk=rollout.pk, state=rollout.state, moves=rollout.moves)
    if not here.filter(state__in=states.ALLOWED_FROM[new]).update(**columns):
        raise IllegalMove(f"rollout {rollout.pk}: no way from {rollout.state} to {new}")
    for name, value in columns.items():
        setattr(rollout, name, value)


def _lead(rollout: Rollout, actor: Actor) -> None:
    leader = {"led_by": actor.user, "led_by_name": actor.name, "led_from": actor.address}
    _move(rollout, states.RUNNING, "", {}, next_at=None, **leader)


def _place(rollout: Rollout, **columns: Any) -> None:
    if not Rollout.objects.filter(pk=rollout.pk, state=states.RUNNING).update(**columns):
        raise IllegalMove(f"rollout {rollout.pk} does not run")
    for name, value in columns.items():
        setattr(rollout, name, value)
    live.announce(f"rollout:{rollout.pk}")


def _take_back(rollout: Rollout, actor: Actor) -> int:
    """Cancel the rollout's own commands that no agent has; their servers are untouched and wait again."""
    waiting = RolloutStep.objects.filter(rollout=rollout, state=states.ASKED, command__state=command_states.QUEUED)
    taken = 0
    for step in waiting.filter(command__rollout=rollout, command__deliveries=0).select_related("command"):
        command: Command | None = step.command
        with suppress(lifecycle.IllegalMove):  # its agent was quicker
            if command is not None:
                lifecycle.take_back(command, actor)
                move_step(step, states.TODO, command=None, began_at=None)
                taken += 1
    return taken


def _untouched(rollout: Rollout) -> int:
    return RolloutStep.objects.filter(rollout=rollout, state=states.TODO).count()


def _record(
    rollout: Rollout,
    event: str,
    actor: Actor,
    facts: dict[str, Any],
    reason: str = "",
    server: Server | None = None,
) -> None:
    audit.write(
        f"rollout.{event}",
        actor=actor.name,
        user=actor.user,
        address=actor.address,
        server=server,
        rollout=rollout,
        cmd=rollout.cmd,
        target=rollout.target,
        reason=reason,
        facts={"rollout": rollout.pk, **facts},
    )
    live.announce(f"rollout:{rollout.pk}")
    log.info("rollout.moved", rollout=rollout.pk, moved=event, state=rollout.state, actor=actor.name)
