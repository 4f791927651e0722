"""What the audit trail calls what was done to rules: the glyph and the word of each event."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

EVENTS: dict[str, tuple[str, Any]] = {
    "rule.made": ("todo", _("Rule made")),
    "rule.changed": ("todo", _("Rule changed")),
    "rule.enabled": ("active", _("Rule switched on")),
    "rule.disabled": ("inactive", _("Rule switched off")),
    "rule.deleted": ("cancelled", _("Rule deleted")),
}
