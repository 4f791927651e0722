"""What became of an incident's notices, for its page and the API: one row a notice, the newest first."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from alerts.models import Incident, IncidentEntry, Notification
from alerts.notify import words
from pmonitor.visible import visible


class Told(NamedTuple):
    """One notice, in words. at: when it was sent, else when it was made; due: when it goes out, if it waits."""

    contact: str
    event: str  # "Opened"
    state: str  # of notify.models: queued, sending, sent, failed, dropped
    glyph: str
    word: str  # "Sent", "Waits"
    why: str  # of one that failed, was dropped, or is tried again, with how that was tried
    at: datetime
    due: datetime | None
    together: bool  # in a summary of many
    attempts: int


def of(incident: Incident) -> list[Told]:
    """The notices of an incident. One query."""
    rows = Notification.objects.filter(incident=incident).select_related("contact", "summary").order_by("-id")
    return [_told(row) for row in rows]


def line(entry: IncidentEntry) -> str:
    """The sentence of a line of the timeline that tells of a notice; of NOTIFIED, NOT_NOTIFIED, ESCALATED."""
    return words.line(entry.kind, entry.facts)


def _told(row: Notification) -> Told:
    glyph, word, why = words.notice(row)
    waits = (row.summary or row).due_at if row.state == "queued" else None
    return Told(
        contact=visible(row.contact.name),
        event=str(words.EVENTS[row.event]),
        state=row.state,
        glyph=glyph,
        word=word,
        why=why,
        at=row.sent_at or row.made_at,
        due=waits,
        together=row.summary_id is not None,
        attempts=row.attempts,
    )
