"""The live topic of silences: only that the list is another one. Each page asks for its own, by its reader's scope."""

from __future__ import annotations

from zlib import crc32

from django.db.models import Max
from django.template.loader import render_to_string
from django.utils import timezone

from alerts.models import Silence
from alerts.quiet import silences, words
from pmonitor import access
from pmonitor.live import Topic, View, by_id


def version() -> str:
    """Another one whenever a silence was made or changed, and whenever one begins, pauses or is over."""
    now = timezone.now()
    held = [(one.pk, words.state_of(one, now), one.ends_at) for one in silences.not_over(now)]
    newest = Silence.objects.aggregate(Max("pk"))["pk__max"]
    return f"{crc32(repr((newest, held)).encode()):x}"


def moved(_key: str, _view: View) -> tuple[str, dict[str, str]]:
    """What says by its version that something moved."""
    now = version()
    return now, {"moved": render_to_string("_silences_moved.html", {"version": now})}


TOPICS = {"silences": Topic(access.may_watch_all, by_id(moved))}
