"""Writes down what a rule did, or why it did nothing: in the remedy, the incident's timeline and the audit trail."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from actions import audit
from actions.models import Command
from actions.rollouts.models import Rollout
from alerts import states, timeline
from alerts.models import Remedy
from alerts.remedy import outcomes
from alerts.remedy.barred import Why
from alerts.remedy.noting import actor_of


def acted(
    remedy: Remedy, *, command: Command | None = None, rollout: Rollout | None = None, joined: bool = False
) -> None:
    """It asked for a command or a rollout, or joined a command that somebody had asked for."""
    _change(remedy, command=command, rollout=rollout, joined=joined)
    facts: dict[str, Any] = {"joined": command.asked_by_name} if command and joined else {}
    facts |= {"rollout": rollout.pk} if rollout else {}
    _write("acted", states.ACTED, remedy, facts, command, rollout)


def held(remedy: Remedy, why: Why) -> None:
    """It does nothing, and will not."""
    _change(remedy, outcome=outcomes.HELD, why=(why.said or why.word)[:400])
    _write("held", states.NOT_ACTED, remedy, {"why": why.word, **({"said": why.said} if why.said else {}), **why.facts})


def gave_up(remedy: Remedy) -> None:
    """Its budget is spent and the incident still there: the listeners of moves escalate."""
    rule = remedy.rule
    _change(remedy, outcome=outcomes.GAVE_UP)
    _write("gave_up", states.GAVE_UP, remedy, {"most": rule.remedy_most, "withinSec": rule.remedy_within_sec})


def ended(remedy: Remedy, outcome: str, facts: dict[str, Any]) -> bool:
    """What it asked for came to an end; False where that was written already. The command has its own audit entries."""
    if not Remedy.objects.filter(pk=remedy.pk, outcome="", due_at=None).update(outcome=outcome):
        return False
    _line(states.ACT_ENDED, remedy, {**facts, "outcome": outcome}, remedy.command)
    return True


def _change(remedy: Remedy, **columns: Any) -> None:
    columns |= {"at": timezone.now(), "due_at": None, "target": remedy.target}
    Remedy.objects.filter(pk=remedy.pk, outcome="").update(**columns)


def _write(
    event: str,
    kind: str,
    remedy: Remedy,
    facts: dict[str, Any],
    command: Command | None = None,
    rollout: Rollout | None = None,
) -> None:
    _line(kind, remedy, facts, command)
    audit.write(
        f"remedy.{event}",
        actor=actor_of(remedy.rule.name),
        user=remedy.rule.made_by,
        server=remedy.server,
        command=command,
        rollout=rollout,
        cmd=outcomes.VERB_OF[remedy.rule.remedy_cmd],
        target=remedy.target,
        reason=remedy.incident.rule_name,
        facts={"rule": remedy.rule_id, "incident": str(remedy.incident.uuid), **facts},
    )


def _line(kind: str, remedy: Remedy, facts: dict[str, Any], command: Command | None) -> None:
    told = {"cmd": outcomes.VERB_OF.get(remedy.rule.remedy_cmd, ""), "target": remedy.target, **facts}
    timeline.note(kind, [remedy.incident], actor=actor_of(remedy.rule.name), facts=told, command=command)
