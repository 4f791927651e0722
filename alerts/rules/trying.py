"""A test to everybody whom the rule in the editor is to tell."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.utils.translation import gettext as _

from alerts.models import Contact
from alerts.notify import contacts, words
from pmonitor import limits
from pmonitor.problems import Problem
from pmonitor.visible import visible


def tried(user: Any, numbers: Collection[int], address: str | None) -> dict[str, Any]:
    """Queue a test to each of these contacts, as their own page does; what the editor says of it.

    numbers: contacts' keys; those of deleted ones count for nothing. Raises Problem: 400 without any, 429.
    """
    chosen = Contact.objects.filter(pk__in=numbers).values_list("pk", flat=True)
    if not chosen:
        raise Problem(400, _("Choose first whom the rule tells."))
    for _contact in chosen:
        limits.hit("actions", f"user-{user.pk}")
    found = contacts.try_out_all(user, chosen, address)
    return {"names": ", ".join(visible(one.name) for one in found), "poor": ", ".join(filter(None, map(_poor, found)))}


def _poor(contact: Contact) -> str:
    """A contact that notices do not go to now, and why."""
    if contact.enabled and not contact.broken_at:
        return ""
    return f"{visible(contact.name)} ({words.state(contact)[1].lower()})"
