"""Rollouts as the API says them: camelCase, times ISO 8601 UTC."""

from __future__ import annotations

from typing import Any

from actions.models import AuditEntry
from actions.rollouts import page, ways_on, words
from actions.rollouts import states as rollout_states
from actions.rollouts.models import Rollout, RolloutStep
from actions.rollouts.start import Plan


def planned(made: Plan) -> dict[str, Any]:
    """What would happen, by agent ids."""
    return {
        "count": made.total,
        "batches": [[one.server.agent_id for one in batch] for batch in made.batches],
        "silent": [server.agent_id for server in made.silent],
        "notAllowed": [server.agent_id for server in made.barred],
        "cannotProbe": [server.agent_id for server in made.unable],
        "noSuchService": [server.agent_id for server in made.lacking],
    }


def short(rollout: Rollout, steps: list[RolloutStep]) -> dict[str, Any]:
    """A rollout in a list."""
    counts = words.count(steps)
    failed = counts[rollout_states.FAILED]
    return {
        "number": rollout.pk,
        "cmd": rollout.cmd,
        "target": rollout.target,
        "state": rollout.state,
        "moves": rollout.moves,
        "waysOn": ways_on.offered(rollout.state, failed),
        "reason": rollout.reason,
        "askedBy": rollout.asked_by_name,
        "ledBy": rollout.led_by_name,
        "createdAt": rollout.created_at,
        "changedAt": rollout.changed_at,
        "selection": rollout.selection,
        "batchSize": rollout.batch_size,
        "pauseSec": rollout.pause_sec,
        "maxFailures": rollout.max_failures,
        "silent": rollout.silent,
        "probe": rollout.probe,
        "batch": rollout.batch,
        "nextAt": rollout.next_at,
        "why": rollout.why,
        "counts": {name: counts[name] for name in ("succeeded", "failed", "working", "skipped", "todo")},
        "sentence": f"{words.headline(rollout, steps)}. {words.touched(rollout, steps)}",
    }


def whole(rollout: Rollout) -> dict[str, Any]:
    """One rollout with each server and everything that was said to it."""
    steps = page.steps_of(rollout)
    moves = AuditEntry.objects.filter(rollout=rollout).select_related("server").order_by("id")
    return {
        **short(rollout, steps),
        "steps": [_step(rollout, step) for step in steps],
        "history": [_move(entry) for entry in moves],
    }


def _step(rollout: Rollout, step: RolloutStep) -> dict[str, Any]:
    failed = step.state == rollout_states.FAILED
    return {
        "agent": step.server.agent_id,
        "batch": step.batch,
        "state": step.state,
        "why": step.why,
        "sentence": words.why(rollout, step) if failed else "",
        "said": words.said(step),
        "command": step.command.uuid if step.command else None,
        "joined": step.joined,
        "beganAt": step.began_at,
        "endedAt": step.ended_at,
    }


def _move(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "event": entry.event,
        "by": entry.actor,
        "address": entry.address,
        "agent": entry.server.agent_id if entry.server else None,
        "reason": entry.reason,
        "facts": entry.facts,
    }
