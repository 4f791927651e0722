"""What the audit trail calls what was done to rules: the glyph and the word of each event."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from actions.models import AuditEntry
from pmonitor.visible import visible

EVENTS: dict[str, tuple[str, Any]] = {
    "rule.made": ("todo", _("Rule made")),
    "rule.changed": ("todo", _("Rule changed")),
    "rule.enabled": ("active", _("Rule switched on")),
    "rule.disabled": ("inactive", _("Rule switched off")),
    "rule.deleted": ("cancelled", _("Rule deleted")),
}


def about(entry: AuditEntry) -> tuple[str, str]:
    """What a record is about, and its page, which a deleted rule has no more."""
    number = entry.facts.get("rule")
    gone = entry.event == "rule.deleted" or not isinstance(number, int)
    return visible(entry.target), "" if gone else reverse("rules:one", args=[number])
