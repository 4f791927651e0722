"""What the audit page says of the events of alerts: each with its glyph and its word, and what a record is about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from actions.models import AuditEntry
from pmonitor.visible import visible

EVENTS: dict[str, tuple[str, Any]] = {
    "incident.acknowledged": ("acknowledged", _("Incident acknowledged")),
    "incident.unacknowledged": ("todo", _("Incident given back")),
    "incident.commented": ("todo", _("Incident commented on")),
    "incident.assigned": ("acknowledged", _("Incident assigned")),
    "incident.snoozed": ("silenced", _("Incident snoozed")),
    "incident.woken": ("todo", _("Snooze ended")),
    "incident.closed": ("cancelled", _("Incident closed by hand")),
}


def incident(entry: AuditEntry) -> tuple[str, str]:
    """What a record of an incident is about, and its page: its rule, and what the rule found there."""
    rule, about = visible(str(entry.facts.get("rule", ""))), visible(entry.target)
    uuid = str(entry.facts.get("incident", ""))
    return f"{rule}: {about}" if about else rule, reverse("incidents:one", args=[UUID(uuid)]) if uuid else ""
