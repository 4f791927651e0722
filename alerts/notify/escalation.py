"""Worker step: tells the next ones of incidents that nobody took on in time, once. Changes `escalated_at` alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.utils import timezone

from alerts import states, timeline
from alerts.models import Incident

BATCH = 500


def escalate() -> int:
    """Escalate what is due: open, not taken on, neither silenced nor snoozed; returns how many incidents."""
    now = timezone.now()
    with transaction.atomic():
        locked = _due(now).select_for_update(skip_locked=True, of=("self",)).select_related("rule", "server")
        due = list(locked.order_by("pk")[:BATCH])
        Incident.objects.filter(pk__in=[one.pk for one in due]).update(escalated_at=now)
        timeline.note(states.ESCALATED, due)
    return len(due)


def _due(now: datetime) -> Any:
    after = ExpressionWrapper(F("rule__escalate_after_sec") * Value(timedelta(seconds=1)), output_field=DurationField())
    open_ = Incident.objects.listed().filter(state=states.OPEN, escalated_at=None, silence=None)
    due = open_.filter(rule__escalate_after_sec__isnull=False, recorded_at__lte=now - after)
    return due.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now))
