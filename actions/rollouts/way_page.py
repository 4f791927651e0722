"""What a person is told before a way on: where the rollout is, and what will happen."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions.rollouts import page, states, words
from actions.rollouts.models import Rollout
from pmonitor.problems import Problem


def context(rollout: Rollout, way: str, problem: Problem | None = None, reason: str = "") -> dict[str, Any]:
    """What `_rollout_confirm.html` shows; problem: what was wrong the last time."""
    steps = page.steps_of(rollout)
    failed = [step for step in steps if step.state == states.FAILED]
    button = page.button(way, failed)
    errors = dict(problem.fields) if problem else {}
    error = errors.pop("reason", "")
    return {
        "address": reverse("rollouts:way", args=[rollout.pk, way]),
        "back": reverse("rollouts:one", args=[rollout.pk]),
        "question": _("%(what)s?") % {"what": button["confirms"]},
        "button": button,
        "final": way == states.END,
        "what": _what(way, len(failed), sum(step.state == states.TODO for step in steps)),
        "headline": words.headline(rollout, steps),
        "touched": words.touched(rollout, steps),
        "seen": rollout.moves,
        "reason": reason,
        "error": error,
        "problem": problem.sentence if problem and not error else "",
    }


def number(text: str) -> int:
    """A number out of a form; -1, which nothing is, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _what(way: str, failed: int, waiting: int) -> str:
    if way == states.HALT:
        return _("Nothing more is touched until somebody resumes it. What is at work comes to its own end.")
    if way == states.END:
        said = ngettext(
            "It is over for good. %(n)s server stays as it is.",
            "It is over for good. %(n)s servers stay as they are.",
            waiting,
        )
        return said % {"n": waiting}
    if way == states.RETRY:
        said = ngettext(
            "Tries the failed server once more, then goes on.",
            "Tries the %(n)s failed servers once more, then goes on.",
            failed,
        )
    elif way == states.SKIP:
        said = ngettext(
            "Leaves the failed server as it is and goes on.",
            "Leaves the %(n)s failed servers as they are and goes on.",
            failed,
        )
    else:
        said = _("Goes on with the servers that are left.")
    named = _("From here on it acts in your name.")
    return f"{said % {'n': failed}} {named}"
