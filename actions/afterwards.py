"""What is learnt of a command without moving it: more evidence, a late answer, and that nothing more will come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from actions import audit, process_judge, states, wire
from actions.judge import Judgement, judge
from actions.models import Command

if TYPE_CHECKING:
    from actions.lifecycle import Actor


def keep(command: Command, actor: Actor, ending: Judgement, evidence: dict[str, Any]) -> None:
    """Evidence came that leaves the outcome open: kept, once."""
    if evidence == command.evidence:
        return
    columns: dict[str, Any] = {"evidence": evidence}
    if command.ended_at is None:  # else it was given up, and that stands
        columns |= {"verdict": ending.verdict, "facts": ending.facts}
    if Command.objects.filter(pk=command.pk, state=command.state).update(**columns):
        audit.write("command.evidence", actor=actor.name, address=actor.address, command=command, facts=ending.facts)


def keep_late(command: Command, actor: Actor, result: wire.Result) -> None:
    """An answer to a command that has ended already is evidence, kept once, and changes no state.

    The answer that ended it, sent again, is no news.
    """
    sent = wire.evidence(result)
    known = {name: command.evidence.get(name) for name in sent} == sent
    if known or command.state not in states.ENDED or "late" in command.evidence:
        return
    said = judged(command, result)
    told = {"state": said.state, "verdict": said.verdict, "facts": said.facts}
    late = {**told, "at": timezone.now().isoformat(), "result": sent}
    with transaction.atomic():
        rows = Command.objects.filter(pk=command.pk, state=command.state).exclude(evidence__has_key="late")
        if rows.update(evidence={**command.evidence, "late": late}):
            facts = {"outcome": result.outcome, **told}
            audit.write("command.late_result", actor=actor.name, address=actor.address, command=command, facts=facts)


def give_up(command: Command, facts: dict[str, Any]) -> bool:
    """Reports can prove nothing any more: it stays unknown, and says so. False when it was settled in the meantime."""
    with transaction.atomic():
        open_still = Command.objects.filter(pk=command.pk, state=states.UNKNOWN, ended_at=None)
        if not open_still.update(verdict="unsettled", facts=facts, ended_at=timezone.now()):
            return False
        audit.write("command.unsettled", actor=audit.HUB, command=command, facts=facts)
    return True


def judged(command: Command, result: wire.Result) -> Judgement:
    """The ending that the agent's answer gives the command."""
    if command.cmd in states.PROCESS_VERBS:
        return process_judge.judge(command.cmd, command.args, result)
    return judge(command.cmd, _expected(command), result)


def _expected(command: Command) -> wire.Observation | None:
    """The service as the operator saw it, where the command carries that."""
    expect = command.expect or {}
    return wire.Observation(main_pid=expect.get("mainPid"), start_ticks=expect.get("startTicks")) if expect else None
