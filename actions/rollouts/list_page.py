"""The list of rollouts."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import QueryDict

from actions.rollouts import way_page, words
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor.visible import visible

PAGE = 50


def context(user: Any, query: QueryDict) -> dict[str, Any]:
    """One page of rollouts, newest first; query: before a rollout's number."""
    found = Rollout.objects.visible_to(user)
    before = way_page.number(query.get("before", ""))
    if before >= 0:
        found = found.filter(pk__lt=before)
    listed = list(found[: PAGE + 1])
    steps: dict[int, list[RolloutStep]] = defaultdict(list)
    for step in RolloutStep.objects.filter(rollout__in=[one.pk for one in listed[:PAGE]]).only("rollout_id", "state"):
        steps[step.rollout_id].append(step)
    return {
        "rows": [_row(rollout, steps[rollout.pk]) for rollout in listed[:PAGE]],
        "older": listed[PAGE - 1].pk if len(listed) > PAGE else None,
    }


def _row(rollout: Rollout, steps: list[RolloutStep]) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "glyph": words.GLYPHS[rollout.state],
        "word": words.STATE_WORDS[rollout.state],
        "title": words.title(rollout),
        "touched": words.touched(rollout, steps),
        "by": visible(rollout.asked_by_name),
        "reason": visible(rollout.reason),
    }
