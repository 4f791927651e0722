"""Commands as the API says them: camelCase, times ISO 8601 UTC."""

from __future__ import annotations

from typing import Any

from actions import verdicts
from actions.happened import Told
from actions.models import AuditEntry, Command, Lease


def short(command: Command) -> dict[str, Any]:
    """A command in a list; the command has its server selected."""
    return {
        "id": command.uuid,
        "number": command.pk,
        "agent": command.server.agent_id,
        "cmd": command.cmd,
        "target": command.target,
        "args": command.args,
        "rollout": command.rollout_id,
        "schedule": command.schedule and command.schedule.uuid,
        "state": command.state,
        "reason": command.reason,
        "askedBy": command.asked_by_name,
        "createdAt": command.created_at,
        "deliverBy": command.deliver_by,
        "executeWithinSec": command.execute_within_sec,
        "deliveredAt": command.delivered_at,
        "startedAt": command.started_at,
        "executeBy": command.execute_by,
        "endedAt": command.ended_at,
        "verdict": command.verdict,
        "sentence": verdicts.sentence(command),
    }


def whole(command: Command) -> dict[str, Any]:
    """One command with what was expected, its evidence and every move of it."""
    moves = AuditEntry.objects.filter(command=command).order_by("id")
    return {
        **short(command),
        "expect": command.expect,
        "deliveries": command.deliveries,
        "evidence": command.evidence,
        "lease": lease(Lease.objects.filter(command=command).first()),
        "moves": [_move(entry) for entry in moves],
    }


def lease(found: Lease | None) -> dict[str, Any] | None:
    """What became of a stop for a time; None where the command is none, or did not stop anything."""
    if found is None:
        return None
    return {
        "state": found.state,
        "until": found.until,
        "overdueAt": found.overdue_at,
        "endedAt": found.ended_at,
        "attempts": found.attempts,
        "why": found.reason,
        "verdict": found.verdict,
        "evidence": found.evidence,
    }


def event(told: Told) -> dict[str, Any]:
    """What happened to a service; command: the one of ours at work on it then, null where it happened without one."""
    command = told.command
    return {
        "at": told.event.at,
        "service": told.event.name,
        "kind": told.event.kind,
        "sentence": told.title,
        "command": command and command.uuid,
        "askedBy": command and command.asked_by_name,
        "facts": told.event.facts,
    }


def _move(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "event": entry.event,
        "from": entry.from_state,
        "to": entry.to_state,
        "by": entry.actor,
        "address": entry.address,
        "reason": entry.reason,
        "facts": entry.facts,
    }
