"""Tells the next ones of incidents that nobody took on in time, or whose rule gave up acting. Once each.

One that flaps, too: nobody is told each time it comes back, and yet somebody must have it. Changes `escalated_at` of
incidents, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from alerts import states, timeline
from alerts.models import Incident, Notification, Rule
from alerts.notify import models

BATCH = 500
GAVE_UP = "gave up"  # the fact "why" of the line


def in_time() -> QuerySet[Incident]:
    """What nobody took on yet, of rules that tell the next ones after a time."""
    return _untaken().filter(rule__escalate_after_sec__isnull=False)


def escalate() -> int:
    """Worker step: escalate what is due since the first ones were told; returns how many incidents."""
    now = timezone.now()
    opening = Notification.objects.filter(incident=OuterRef("pk"), event=models.OPENED).order_by("-made_at")
    untried = opening.filter(state=models.QUEUED, attempts=0)
    after = ExpressionWrapper(F("rule__escalate_after_sec") * Value(timedelta(seconds=1)), output_field=DurationField())
    with transaction.atomic():
        due = _telling(in_time(), now).filter(recorded_at__lte=now - after)
        due = due.annotate(told=Coalesce(Subquery(opening.values("made_at")[:1]), "recorded_at"))
        return _escalate(due.filter(~Exists(untried), told__lte=now - after)[:BATCH], now, {})


def hear(move: str, incidents: Sequence[Incident]) -> None:
    """Escalate at once what a rule gave up acting on. A listener of timeline's, in the move's transaction."""
    if move == states.GAVE_UP:
        now = timezone.now()
        gave_up = _untaken().filter(pk__in=[one.pk for one in incidents])
        _escalate(_telling(gave_up, now), now, {"why": GAVE_UP})


def _escalate(due: Any, now: datetime, facts: dict[str, Any]) -> int:
    locked = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("rule", "server"))
    Incident.objects.filter(pk__in=[one.pk for one in locked]).update(escalated_at=now)
    timeline.note(states.ESCALATED, locked, facts=facts)
    return len(locked)


def _untaken() -> QuerySet[Incident]:
    found: QuerySet[Incident] = Incident.objects.listed().filter(state=states.OPEN, escalated_at=None)
    return found


def _telling(untaken: QuerySet[Incident], now: datetime) -> QuerySet[Incident]:
    """Those of them that are neither silenced nor snoozed, and have somebody to be told to."""
    telling = Rule.objects.filter(Q(escalate_to__enabled=True) | Q(contacts__enabled=True))
    found = untaken.filter(silence=None, rule__in=telling)
    return found.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now)).order_by("pk")
