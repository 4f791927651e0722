"""The live topic of a rollout: the fragments of its page that changed."""

from __future__ import annotations

from typing import Any

from actions.rollouts import page
from actions.rollouts.models import Rollout
from pmonitor.live import Topic, View, by_id


def rollout(key: str, view: View) -> tuple[str, dict[str, str]]:
    """Its sentence, tally, batches and what failed."""
    found = Rollout.objects.get(pk=int(key))
    steps = page.steps_of(found)
    return page.version(found, steps), page.fragments(found, steps, view.role)


def may_watch(user: Any, keys: set[str]) -> set[str]:
    """The numbers of rollouts all of whose servers are in the user's scope."""
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]
    return keys & {
        str(pk) for pk in Rollout.objects.visible_to(user).filter(pk__in=numbers).values_list("pk", flat=True)
    }


TOPICS = {"rollout": Topic(may_watch, by_id(rollout), every=0.25)}
