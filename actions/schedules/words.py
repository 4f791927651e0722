"""Schedules in words: their states, how a run ended, and times by their own clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import dateformat
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext, pgettext_lazy

from actions import zones
from actions.schedules import models

STATES: dict[str, tuple[str, Any]] = {  # the glyph's state, the word
    models.ON: ("queued", pgettext_lazy("schedule", "On")),
    models.PAUSED: ("inactive", pgettext_lazy("schedule", "Paused")),
    models.DONE: ("succeeded", pgettext_lazy("schedule", "Over")),
    models.DELETED: ("cancelled", pgettext_lazy("schedule", "Deleted")),
}
OUTCOMES: dict[str, tuple[str, Any]] = {
    models.RAN: ("succeeded", pgettext_lazy("schedule", "Given")),
    models.JOINED: ("succeeded", pgettext_lazy("schedule", "Joined")),
    models.MISSED: ("expired", pgettext_lazy("schedule", "Missed")),
    models.REFUSED: ("refused", pgettext_lazy("schedule", "Refused")),
}
EVENTS: dict[str, tuple[str, Any]] = {  # of the audit trail
    "schedule.made": ("todo", _("Scheduled")),
    "schedule.changed": ("todo", _("Schedule changed")),
    "schedule.disabled": ("inactive", _("Schedule paused")),
    "schedule.enabled": ("todo", _("Schedule resumed")),
    "schedule.deleted": ("cancelled", _("Schedule deleted")),
    "schedule.ran": ("succeeded", _("Given by schedule")),
    "schedule.missed": ("expired", _("Scheduled run missed")),
    "schedule.refused": ("refused", _("Scheduled run refused")),
}


def there(when: datetime, zone: str) -> str:
    """A moment by the clock of a zone: "Thu 26 Nov 2026, 03:00 EET"."""
    local = zones.there(when, zone)
    day = dateformat.format(local, pgettext("date format", "D j M Y"))
    return f"{day}, {local:%H:%M} {local:%Z}"


def when(schedule: models.Schedule) -> str:
    """When it runs, on one line: the cron expression, or its only time, with the zone."""
    if schedule.once_at:
        return there(schedule.once_at, schedule.zone)
    return f"{schedule.cron} {schedule.zone}"
