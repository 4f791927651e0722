"""Who changed a rule last, when and what of it: told to somebody whose own change met that one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from actions.models import AuditEntry
from alerts.models import Rule
from pmonitor.visible import visible

REMEDY = _("what it does by itself")
WORDS: dict[str, Any] = {  # of Wanted's fields
    "name": _("name"),
    "kind": _("kind"),
    "params": _("what is watched"),
    "limit": _("limit"),
    "clear_limit": _("clear limit"),
    "for_sec": _("for how long"),
    "clear_for_sec": _("clear for how long"),
    "k": _("samples"),
    "n": _("samples"),
    "scope": _("applies to"),
    "severity": _("severity"),
    "enabled": pgettext_lazy("rule", "on or off"),
    "contacts": _("who is told"),
    "escalate_after_sec": _("escalation"),
    "escalate_to": _("escalation"),
}
SWITCHED = ("rule.enabled", "rule.disabled")


def last(rule: Rule) -> dict[str, Any] | None:
    """Of the last change on record: who, at, fields in words."""
    mine = AuditEntry.objects.filter(target=rule.name, facts__rule=rule.pk)
    entry = mine.filter(event__in=("rule.changed", *SWITCHED)).order_by("-id").first()
    if entry is None:
        return None
    names = ["enabled"] if entry.event in SWITCHED else list(entry.facts.get("changed", {}))
    fields = dict.fromkeys(str(WORDS.get(name, REMEDY)) for name in names)
    return {"who": visible(entry.actor), "at": entry.at, "fields": list(fields)}
