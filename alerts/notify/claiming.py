"""Claims notices that are due, so that of two workers one sends; what a killed one had claimed comes back by itself.

At least once: a worker that dies between sending and saying so leaves a notice that is sent again when its claim ends.
Receivers can tell by the notice's number, which each message carries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, When
from django.utils import timezone

from alerts import states
from alerts.models import Incident, Notification
from alerts.notify import models, queueing, words

CLAIM = timedelta(seconds=60)  # sending takes 10 s at the most, Apprise a little more
LATER = timedelta(seconds=5)  # for an end whose opening is on its way
CRITICAL_FIRST = Case(When(event__in=queueing.DOWNS, incident__severity=states.CRITICAL, then=0), default=1)
ORDER = ("attempts", CRITICAL_FIRST, "due_at", "pk")


def claim() -> Notification | None:
    """The next notice to send, which is the caller's until its claim ends; None when nothing is due."""
    now = timezone.now()
    with transaction.atomic():
        mine = Notification.objects.select_for_update(skip_locked=True, of=("self",)).select_related("contact")
        row = mine.filter(_due(now), pk__in=ready(now)).order_by(*ORDER).first()
        if row is None:
            return None
        until = now + CLAIM
        taken = {"state": models.SENDING, "claimed_until": until}
        Notification.objects.filter(pk=row.pk).update(**taken, attempts=F("attempts") + 1)
        Notification.objects.filter(summary=row.pk, state__in=(models.QUEUED, models.SENDING)).update(**taken)
        row.state, row.claimed_until, row.attempts = models.SENDING, until, row.attempts + 1
        return row


def ready(now: datetime) -> list[int]:
    """Of each contact the next one, unless one of its own is being sent: a slow receiver holds up no other."""
    busy = Notification.objects.filter(state=models.SENDING, claimed_until__gt=now).values("contact")
    due = Notification.objects.filter(_due(now)).exclude(contact__in=busy)
    return list(due.order_by("contact_id", *ORDER).distinct("contact_id").values_list("pk", flat=True))


def unwanted(row: Notification) -> str:
    """Why a claimed notice is not to be sent any more, of words.WHY; empty when it is."""
    if row.event == models.TEST:
        return ""
    if not row.contact.enabled:
        return words.OFF
    if row.contact.broken_at:
        return words.BROKEN
    if row.event == models.SUMMARY:
        return "" if Notification.objects.filter(summary=row).exclude(state=models.DROPPED).exists() else words.EMPTY
    if row.event == models.CLOSED:
        return "" if _opening(row) != models.DROPPED else words.UNTOLD
    return _silent(row, Incident.objects.get(notifications=row))


def must_wait(row: Notification) -> bool:
    """Whether a claimed notice of an end must wait, because the opening's own is on its way."""
    return row.event == models.CLOSED and _opening(row) == models.SENDING


def _silent(row: Notification, incident: Incident) -> str:
    if incident.state == states.CLOSED:
        return words.OVER
    if incident.whole_id:
        return words.JOINED
    if incident.silence_id:
        return words.SILENCED
    if incident.snoozed_until and incident.snoozed_until > timezone.now():
        return words.SNOOZED
    return words.TAKEN if row.event == models.ESCALATION and incident.acknowledged_at else ""


def _opening(row: Notification) -> str:
    """How the openings stand that this contact was to be told of: sent, sending, or dropped."""
    downs = Notification.objects.filter(incident=row.incident_id, contact=row.contact_id, event__in=queueing.DOWNS)
    found = set(downs.values_list("state", flat=True))
    if models.SENT in found:
        return models.SENT
    return models.SENDING if found & {models.SENDING, models.QUEUED} else models.DROPPED


def _due(now: datetime) -> Q:
    again = Q(state=models.SENDING, claimed_until__lte=now)
    return (Q(state=models.QUEUED, due_at__lte=now) | again) & Q(summary=None)
