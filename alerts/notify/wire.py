"""Contacts as the API says them: camelCase, times ISO 8601 UTC. Addresses are masked, secrets are told once."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder

from alerts import states
from alerts.notify import checks, words
from alerts.notify.models import Contact, Notification
from servers.wire import Word

Name = Annotated[str, Meta(max_length=checks.NAME_LENGTH)]
Address = Annotated[str, Meta(max_length=checks.ADDRESS_LENGTH)]


class NewContact(Struct, rename="camel"):
    """Who is told. checks.py looks at the values, for forms and programs alike."""

    name: Name
    kind: Word
    address: Address
    severity: Word = states.WARNING
    hours: dict[Word, Any] = {}  # {"days": [0…6], "from": "08:00", "to": "18:00", "zone": …}; empty: always
    language: Word = "en"
    allow_internal: bool = False
    enabled: bool = True


class Change(Struct, rename="camel"):
    """What shall be otherwise; what is left out stays."""

    name: Name | None = None
    address: Address | None = None
    severity: Word | None = None
    hours: dict[Word, Any] | None = None
    language: Word | None = None
    allow_internal: bool | None = None
    enabled: bool | None = None


NEWS, CHANGES = Decoder(NewContact), Decoder(Change)


def short(contact: Contact) -> dict[str, Any]:
    """What every operator may know of a contact."""
    state = "off" if not contact.enabled else "broken" if contact.broken_at else "on"
    return {
        "id": contact.pk,
        "name": contact.name,
        "kind": contact.kind,
        "state": state,
        "brokenAt": contact.broken_at,
        "brokenWhy": words.why(contact.broken_why),
    }


def whole(contact: Contact) -> dict[str, Any]:
    """What admins are told."""
    return {
        **short(contact),
        "address": words.masked(contact),
        "severity": contact.severity,
        "hours": contact.hours,
        "language": contact.language,
        "allowInternal": contact.allow_internal,
        "madeBy": contact.made_by_name,
        "madeAt": contact.made_at,
    }


def notice(row: Notification) -> dict[str, Any]:
    """A notice and what became of it; it has its summary selected."""
    failed, _tries = words.tried(row)
    return {
        "id": row.pk,
        "event": row.event,
        "state": row.state,
        "madeAt": row.made_at,
        "dueAt": (row.summary or row).due_at,
        "inSummary": row.summary_id is not None,
        "sentAt": row.sent_at,
        "attempts": row.attempts,
        "error": words.why(row.error),
        "errorCode": row.error,
        "lastFailure": words.why(failed),
        "lastFailureCode": failed,
    }
