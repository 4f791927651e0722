"""Keeps a storm from being a storm of notices: beyond so many in a while, a contact gets one summary of the rest.

Worker step, before sending. A contact may be sent MOST notices in WITHIN; what comes on top waits for the end of that
time and is told then by one notice, together with all that comes until it goes out. What opened right after an absence
of the hub is told together at once. Notices that are tried again count: a receiver that is away gathers no heap.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts import states
from alerts.models import Contact, Notification
from alerts.notify import hours, models

MOST, WITHIN = 10, timedelta(minutes=10)


def fold() -> int:
    """Fold what is too much into summaries; returns how many notices were."""
    now = timezone.now()
    contacts = _due(now).order_by().values_list("contact", flat=True).distinct()
    return sum(_fold(pk, now) for pk in contacts)


def _fold(pk: int, now: datetime) -> int:
    with transaction.atomic():
        # Not a lock that keeps new notices from naming the contact.
        contact = Contact.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=pk).first()
        if contact is None:
            return 0  # another worker does it
        due = list(_due(now).filter(contact=pk).select_related("incident").order_by("pk"))
        summary, rest = _too_many(contact, due, now)
        if not rest:
            return 0
        if summary._state.adding:
            summary.save(force_insert=True)
        return Notification.objects.filter(pk__in=[row.pk for row in rest], state=models.QUEUED).update(summary=summary)


def _too_many(contact: Contact, due: list[Notification], now: datetime) -> tuple[Notification, list[Notification]]:
    """The summary, made or not saved yet, and the notices that it is to tell."""
    # Locked: once it is on its way, nothing may be added to it.
    queued = _of(contact).filter(event=models.SUMMARY, state=models.QUEUED).order_by("pk")
    if waiting := queued.select_for_update(skip_locked=True, of=("self",)).first():
        return waiting, due
    held = [row for row in due if "absence" in row.facts]
    if len(held) > 1:
        return _summary(contact, now, now, {"absence": held[0].facts["absence"]}), held
    recent = _of(contact).filter(summary=None).exclude(event=models.TEST).filter(_counts(now))
    rest = sorted(due, key=_mildness)[max(0, MOST - recent.count()) :]
    first = recent.filter(sent_at__isnull=False).order_by("sent_at").values_list("sent_at", flat=True).first()
    return _summary(contact, now, hours.due(contact.hours, (first or now) + WITHIN), {}), rest


def _summary(contact: Contact, now: datetime, due: datetime, facts: dict[str, Any]) -> Notification:
    return Notification(contact=contact, event=models.SUMMARY, made_at=now, due_at=due, facts=facts)


def _counts(now: datetime) -> Q:
    """What was sent within the time, is being sent, or is tried again."""
    sent = Q(state=models.SENT, sent_at__gt=now - WITHIN)
    return sent | Q(state=models.SENDING) | Q(state=models.QUEUED, attempts__gt=0)


def _due(now: datetime) -> Any:
    events = (models.OPENED, models.CLOSED, models.ESCALATION)
    return Notification.objects.filter(
        state=models.QUEUED, due_at__lte=now, attempts=0, summary=None, event__in=events, contact__enabled=True
    )


def _of(contact: Contact) -> Any:
    return Notification.objects.filter(contact=contact)


def _mildness(row: Notification) -> tuple[int, int]:
    """What is worst is sent first and by itself; then what came first."""
    severity = row.incident.severity if row.incident else states.WARNING
    return -states.SEVERITIES.index(severity), row.pk
