"""The form that makes and changes contacts. Whether the values make sense, checks.py says; here they are only read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from actions import zones
from alerts import states
from alerts.notify import checks, contacts, models
from alerts.notify.checks import Wanted
from alerts.notify.models import Contact
from pmonitor.problems import Problem

FIELDS = {  # a field's name on the wire: its name here
    "name": "name", "kind": "kind", "address": "address", "severity": "severity", "language": "language",
    "hours.days": "days", "hours.from": "begins", "hours.to": "ends", "hours.zone": "zone",
}  # fmt: skip
DAYS = [(str(day), day) for day in range(7)]


class ContactForm(forms.Form):
    """Who is told, of what and when; `changed` is the contact that it changes, whose kind stays.

    Of one that is changed the address is never shown, and an empty one means the one it has.
    """

    name = forms.CharField(max_length=checks.NAME_LENGTH, error_messages={"required": _("Give it a name.")})
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in models.KINDS])
    address = forms.CharField(max_length=checks.ADDRESS_LENGTH, required=False)
    severity = forms.ChoiceField(choices=[(one, one) for one in states.SEVERITIES])
    language = forms.CharField(max_length=5)
    limited = forms.BooleanField(required=False)  # only at certain hours
    days = forms.MultipleChoiceField(choices=DAYS, required=False)
    begins = forms.CharField(max_length=5, required=False)
    ends = forms.CharField(max_length=5, required=False)
    zone = forms.CharField(max_length=64, required=False)
    allow_internal = forms.BooleanField(required=False)
    enabled = forms.BooleanField(required=False)

    def __init__(self, *args: Any, changed: Contact | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changed = changed
        if changed:
            del self.fields["kind"]

    def wanted(self) -> Wanted:
        """What was filled in, as far as it could be read."""
        given = {name: self.cleaned_data.get(name, "") for name in self.base_fields}
        own = contacts.wanted_of(self.changed) if self.changed else None
        return Wanted(
            name=given["name"],
            kind=own.kind if own else given["kind"],
            address=given["address"] or (own.address if own else ""),
            severity=given["severity"],
            hours=self._hours() if given["limited"] else {},
            language=given["language"],
            allow_internal=bool(given["allow_internal"]),
            enabled=bool(given["enabled"]),
        )

    def take(self, problem: Problem) -> str:
        """Put what a refusal says of fields under them; returns the sentence that is left to show."""
        ours = {FIELDS[name]: said for name, said in problem.fields.items() if FIELDS.get(name) in self.fields}
        for name, said in ours.items():
            if name not in self.errors:  # what cannot be read is told alone
                self.add_error(name, said)
        return "" if self.errors and len(ours) == len(problem.fields) else problem.sentence

    def _hours(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "days": sorted(int(day) for day in given.get("days", ())),
            "from": given.get("begins", ""),
            "to": given.get("ends", ""),
            "zone": given.get("zone") or zones.UNKNOWN,
        }


def fresh() -> dict[str, Any]:
    """What the form for a new contact begins with."""
    return {
        "kind": models.EMAIL,
        "severity": states.WARNING,
        "language": "en",
        "days": ["0", "1", "2", "3", "4"],
        "begins": "08:00",
        "ends": "18:00",
        "zone": zones.UNKNOWN,
        "enabled": True,
    }


def filled(contact: Contact) -> dict[str, Any]:
    """What the form shows of a contact that is to be changed; never its address."""
    hours = contact.hours
    base = fresh()
    return {
        "name": contact.name,
        "severity": contact.severity,
        "language": contact.language,
        "limited": bool(hours),
        "days": [str(day) for day in hours["days"]] if hours else base["days"],
        "begins": hours["from"] if hours else base["begins"],
        "ends": hours["to"] if hours else base["ends"],
        "zone": hours["zone"] if hours else base["zone"],
        "allow_internal": contact.allow_internal,
        "enabled": contact.enabled,
    }


def typed(data: Any) -> dict[str, Any]:
    """What was sent, to be shown again."""
    return {**data.dict(), "days": data.getlist("days")}
