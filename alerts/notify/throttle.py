"""Keeps a storm from being a storm of notices: beyond so many in a while, a contact gets one summary of the rest.

Worker step, before sending. A contact may be sent MOST notices in WITHIN; what comes on top waits for the end of that
time and is told then by one notice, together with what is too much until it goes out. Only what is as bad or worse
counts: what is critical waits for nothing milder, and what is wrong for no ends. What opened right after an absence of
the hub is told together at once. Notices that are tried again count: a receiver that is away gathers no heap.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from alerts import states, timeline
from alerts.models import Contact, Notification
from alerts.notify import hours, models
from alerts.notify.queueing import DOWNS

MOST, WITHIN = 10, timedelta(minutes=10)
CRITICAL, WRONG, OVER = range(3)  # how mild a notice is


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
        timeline.announce([row.incident for row in rest if row.incident])  # their pages say when they are told
        return Notification.objects.filter(pk__in=[row.pk for row in rest], state=models.QUEUED).update(summary=summary)


def _too_many(contact: Contact, due: list[Notification], now: datetime) -> tuple[Notification, list[Notification]]:
    """The summary, made or not saved yet, and the notices that it is to tell."""
    held = [row for row in due if "absence" in row.facts]
    if len(held) > 1:
        return _summary(contact, now, now, {"absence": held[0].facts["absence"]}), held
    recent = _of(contact).filter(summary=None).exclude(event=models.TEST).filter(_counts(now))
    told = [(_rank(*row[:2]), row[2]) for row in recent.values_list("event", "incident__severity", "sent_at")]
    rest = _beyond([rank for rank, _at in told], due)
    # Locked: once it is on its way, nothing may be added to it.
    queued = _of(contact).filter(event=models.SUMMARY, state=models.QUEUED).order_by("pk")
    if rest and (waiting := queued.select_for_update(skip_locked=True, of=("self",)).first()):
        return waiting, rest
    mildest = max((_rank_of(row) for row in rest), default=WRONG)
    first = min((at for rank, at in told if at and rank <= mildest), default=now)
    return _summary(contact, now, hours.due(contact.hours, first + WITHIN), {}), rest


def _beyond(told: list[int], due: list[Notification]) -> list[Notification]:
    """Those that are too much after notices of these ranks. What is worst is sent first; then what came first."""
    ranks, rest = list(told), []
    for row in sorted(due, key=lambda row: (_rank_of(row), row.pk)):
        rank = _rank_of(row)
        if sum(1 for one in ranks if one <= rank) < MOST:
            ranks.append(rank)
        else:
            rest.append(row)
    return rest


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


def _rank_of(row: Notification) -> int:
    return _rank(row.event, row.incident.severity if row.incident else "")


def _rank(event: str, severity: str | None) -> int:
    """How mild a notice is, the worst 0; a summary is as what is wrong without being critical."""
    if event == models.CLOSED:
        return OVER
    return CRITICAL if event in DOWNS and severity == states.CRITICAL else WRONG
