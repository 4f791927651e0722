"""The probe after a step's command: its agent is asked again and again until the answer is good or the time is over.

What is true is in the rows alone: the step's newest look is a read, and `probe_until` says how long it goes on. Whoever
calls this has locked the rollout.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from actions import reads
from actions.models import Read
from actions.rollouts import leader, moves, probe, states
from actions.rollouts.models import Rollout, RolloutStep

PROBE_FOR = timedelta(seconds=30)  # a service needs a moment before it answers
PROBE_EVERY = timedelta(seconds=3)
LOOKS_A_TURN = 20  # so that nobody waits long for the rollout's row


def begin(step: RolloutStep) -> None:
    """The step's command has succeeded: now its probe has to."""
    moves.move_step(step, states.CHECKING, probe_read=None, probe_until=timezone.now() + PROBE_FOR)


def go_on(rollout: Rollout, steps: list[RolloutStep]) -> bool:
    """End the checks whose outcome is known, and look where it is time to; whether some are left for the next turn."""
    due = [step for step in steps if step.state == states.CHECKING and _is_due(rollout, step)]
    for step in due[:LOOKS_A_TURN]:
        _look(rollout, step)
    return len(due) > LOOKS_A_TURN


def _is_due(rollout: Rollout, step: RolloutStep) -> bool:
    """Whether it is time to look (again); ends the step where the newest look tells how it ends."""
    read, now = step.probe_read, timezone.now()
    if read is None:
        return True
    verdict = reads.verdict_of(read)
    if not verdict:
        return False
    answer = read.answer if verdict == reads.ANSWERED and read.answer else {}
    facts = {"url": rollout.probe, "said": answer.get("said", read.error), "verdict": verdict}
    if answer.get("ok"):
        moves.move_step(step, states.SUCCEEDED, "", facts, ended_at=now)
    elif _was_last(step, read, now):
        moves.move_step(step, states.FAILED, "probe" if answer else "not_probed", facts, ended_at=now)
    else:
        return now >= read.asked_at + PROBE_EVERY
    return False


def _was_last(step: RolloutStep, read: Read, now: datetime) -> bool:
    """Whether the time is over; not by an old look, after a time in which the hub itself was away."""
    until = step.probe_until
    return until is None or (now >= until and read.asked_at >= until - reads.ANSWER_WITHIN)


def _look(rollout: Rollout, step: RolloutStep) -> None:
    """Ask in the leader's name; one entry in the trail, however often."""
    if not leader.may_act(rollout, step.server):
        facts = {"who": rollout.led_by_name}
        moves.move_step(step, states.FAILED, "probe_lost_rights", facts, ended_at=timezone.now())
        return
    read = reads.ask(
        rollout.led_by,
        step.server,
        probe.KIND,
        rollout.target,
        {"url": rollout.probe},
        rollout.led_from,
        limited=False,
        again=step.probe_read is not None,
    )
    moves.note_look(step, read)
