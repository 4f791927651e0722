"""What the dashboard says after the hub was away: one summary, for some hours, instead of a storm of silent servers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from servers import state_words
from servers.models import HubAbsence

SHOWN_FOR = timedelta(hours=6)
WORTH_SAYING = timedelta(minutes=1)  # agents' reports came late by no more, and that is all


class Summary(NamedTuple):
    """The last absence: from when to when, why and how long, in words; and how many there were before it."""

    start: datetime
    end: datetime
    why: str
    span: str
    more: int


def summary(now: datetime | None = None) -> Summary | None:
    """Of the absences that ended in the last hours; None where there is nothing to say. One query."""
    since = (now or timezone.now()) - SHOWN_FOR
    recent = HubAbsence.objects.filter(end__gte=since).order_by("-end")
    told = [absence for absence in recent if absence.end - absence.start >= WORTH_SAYING]
    if not told:
        return None
    last = told[0]
    span = state_words.span((last.end - last.start).total_seconds())
    return Summary(last.start, last.end, str(state_words.AWAY_WORDS[last.why]), span, len(told) - 1)
