"""Worker step: what came of what a rule asked for. While its incident stays open, it is to act again in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from actions import states as command_states
from actions.lifecycle import Actor
from actions.models import Command
from actions.rollouts import moves as rollout_moves
from actions.rollouts import states as rollout_states
from actions.rollouts.models import RolloutStep
from alerts import states
from alerts.models import Remedy
from alerts.remedy import budget, outcomes, record
from alerts.remedy.noting import actor_of
from alerts.rules import kinds

BATCH = 200
PATIENCE = timedelta(seconds=60)  # until what helped is seen, and the incident has closed
# Kinds whose incidents stay open for a while after what they tell: a success is not tried again.
ONCE = (kinds.FLAPPING, kinds.RESTARTED, kinds.RESTARTING, kinds.COMMAND_FAILED, kinds.REBOOTED)


class End(NamedTuple):
    """How it ended, and what a sentence names of that."""

    outcome: str
    facts: dict[str, Any]


def begun() -> QuerySet[Remedy]:
    """What was asked for, and how it ends is not known yet."""
    return Remedy.objects.filter(outcome="", due_at=None)


def follow() -> int:
    """Write down the outcomes that are known; how many there were."""
    rows = begun().select_related("command", "rollout", "rule", "incident")
    return sum(_followed(one) for one in rows.order_by("pk")[:BATCH])


def _followed(remedy: Remedy) -> bool:
    end = _end(remedy)
    if end is None:
        return False
    with transaction.atomic():
        if not record.ended(remedy, end.outcome, end.facts):
            return False  # another worker was first
        if remedy.rollout_id and end.outcome != outcomes.SUCCEEDED:
            _end_rollout(remedy)
        _plan(remedy, end.outcome)
    return True


def _end(remedy: Remedy) -> End | None:
    """How it ended; None while it is not over."""
    if remedy.rollout_id is None:
        return _of_command(remedy.command)
    step = RolloutStep.objects.filter(rollout=remedy.rollout_id).select_related("command").first()
    if remedy.rollout is None or remedy.rollout.state == rollout_states.RUNNING:
        return None
    if step and step.state == rollout_states.SUCCEEDED:
        return End(outcomes.SUCCEEDED, {"rollout": remedy.rollout_id})
    return End(outcomes.FAILED, {"rollout": remedy.rollout_id, "state": step.why if step else ""})


def _of_command(command: Command | None) -> End | None:
    if command is None:
        return End(outcomes.UNKNOWN, {})
    if command.ended_at is None:
        return None
    facts = {"state": command.state, "verdict": command.verdict}
    known = {command_states.SUCCEEDED: outcomes.SUCCEEDED, command_states.UNKNOWN: outcomes.UNKNOWN}
    return End(known.get(command.state, outcomes.FAILED), facts)


def _end_rollout(remedy: Remedy) -> None:
    """A halted rollout would keep others from this service, the rule's next one too."""
    rollout = rollout_moves.locked(remedy.rollout_id) if remedy.rollout_id else None
    if rollout and rollout.state == rollout_states.HALTED:
        actor = Actor(actor_of(remedy.rule.name), remedy.rule.made_by)
        rollout_moves.end(rollout, actor, "Its rule goes on by itself.")


def _plan(remedy: Remedy, outcome: str) -> None:
    """Look again when the cooldown is over. After a failure with nothing left to spend, at once: to give up."""
    succeeded = outcome == outcomes.SUCCEEDED
    if remedy.incident.state not in states.LIVE or (succeeded and remedy.rule.kind in ONCE):
        return
    now = timezone.now()
    Remedy.objects.create(
        rule=remedy.rule,
        incident=remedy.incident,
        server_id=remedy.server_id,
        target=remedy.target,
        at=now,
        due_at=max(now + PATIENCE, _after_cooldown(remedy, now)) if succeeded else _after_cooldown(remedy, now),
    )


def _after_cooldown(remedy: Remedy, now: datetime) -> datetime:
    return budget.next_at(remedy.rule, budget.spent(remedy, now), now) or now
