"""The live topic `schedule:<number>`: one schedule's article."""

from __future__ import annotations

from typing import Any

from django.template.loader import get_template

from actions.schedules import pages
from actions.schedules.models import Schedule
from pmonitor.live import Topic, View, by_id


def article(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The whole article: a run changes most of it."""
    shown = pages.one(Schedule.objects.select_related("server").get(pk=int(key)), view.role)
    return shown["version"], {"article": get_template("_schedule.html").render(shown)}


def may_watch(user: Any, keys: set[str]) -> set[str]:
    """The numbers of schedules on servers in the user's scope."""
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]  # what a bigint holds
    mine = Schedule.objects.visible_to(user).filter(pk__in=numbers).values_list("pk", flat=True)
    return keys & {str(pk) for pk in mine}


TOPICS = {"schedule": Topic(may_watch, by_id(article), every=0.25)}
