"""What a person may tell a rollout: halt, resume, retry, skip, end; a form and the API come through the same door."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from actions import ask, audit
from actions.lifecycle import Actor
from actions.rollouts import advance, moves, states
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor.problems import Problem, bad


def offered(state: str, failed: int) -> list[str]:
    """What makes sense now: with something failed one retries or skips it, without one resumes."""
    ways = [way for way, allowed in states.WAYS_ON.items() if state in allowed]
    if failed:
        return [way for way in ways if way != states.RESUME]
    return [way for way in ways if way not in states.NEED_FAILURES]


def tell(
    user: Any, rollout: Rollout, way: str, reason: str, seen: int | None = None, address: str | None = None
) -> Rollout:
    """Do it; the caller has checked role and scope. seen: the rollout's `moves` as the person saw them.

    Raises Problem: 400 naming wrong fields, 409 when the rollout is past that.
    """
    if not reason.strip() or len(reason) > ask.REASON_LENGTH or "\0" in reason:
        raise bad({"reason": _("must be said, in at most %(length)s characters") % {"length": ask.REASON_LENGTH}})
    actor = Actor(audit.name_of(user), user, address or None)
    with transaction.atomic():
        now = moves.locked(rollout.pk)
        if now is None:
            raise Problem(404, _("There is no such rollout."))
        failed = list(RolloutStep.objects.filter(rollout=now, state=states.FAILED).select_related("server"))
        if seen is not None and seen != now.moves:
            raise Problem(409, _("The rollout has moved on since you looked."))
        if way not in offered(now.state, len(failed)):
            raise Problem(409, _refusal(now.state, way))
        _do(now, way, failed, actor, reason)
    transaction.on_commit(partial(advance.advance_one, now.pk), robust=True)
    return now


def _do(rollout: Rollout, way: str, failed: list[RolloutStep], actor: Actor, reason: str) -> None:
    if way == states.HALT:
        moves.halt(rollout, "by", {"who": actor.name}, actor, reason)
    elif way == states.RESUME:
        moves.resume(rollout, actor, reason)
    elif way == states.RETRY:
        moves.retry(rollout, failed, actor, reason)
    elif way == states.SKIP:
        moves.skip(rollout, failed, actor, reason)
    else:
        moves.end(rollout, actor, reason)


def _refusal(state: str, way: str) -> str:
    if state == states.RUNNING:
        return _("The rollout is running already.")
    if state in states.OVER:
        return _("The rollout is over.")
    if way == states.HALT:
        return _("The rollout is halted already.")
    if way == states.RESUME:
        return _("Something failed: retry it, or skip it and resume.")
    return _("Nothing failed: resume the rollout.")
