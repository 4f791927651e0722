"""Rules, incidents and contacts that the tests of notices start from."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from alerts import moves, states
from alerts.models import Contact, Incident, Notification, Rule
from alerts.notify import models, sending, throttle
from servers.models import Server
from tests.alerts.notify.receivers import Receiver

MEMORY = {"metric": "mem", "limit": 90}


def contact(name: str = "ops", address: str = "http://127.0.0.1:9/hook", **columns: Any) -> Contact:
    """A webhook that may use internal addresses."""
    given = {"kind": models.WEBHOOK, "secret": "pmw_test", "allow_internal": True, "made_at": timezone.now()}
    return Contact.objects.create(name=name, address=address, **{**given, **columns})


def rule(name: str = "Memory high", *contacts: Contact, **columns: Any) -> Rule:
    """A rule about memory that tells these contacts."""
    given = {"kind": "reading", "params": {"metric": "mem"}, "limit": 90, "severity": states.CRITICAL}
    made = Rule.objects.create(name=name, made_at=timezone.now(), **{**given, **columns})
    made.contacts.set(contacts)
    return made


def storm(number: int, of: Contact, server: Server) -> list[Incident]:
    """So many different rules fire at once; every tenth of them is critical."""
    severities = [states.WARNING if one % 10 else states.CRITICAL for one in range(number)]
    made = Rule.objects.bulk_create(
        Rule(
            name=f"rule {one:03}",
            kind="reading",
            params={"metric": "mem"},
            limit=90,
            severity=severity,
            made_at=timezone.now(),
        )
        for one, severity in enumerate(severities)
    )
    link: Any = Rule.contacts.through
    link.objects.bulk_create(link(rule=one, contact=of) for one in made)
    with transaction.atomic():
        return moves.open_([opening(one, server) for one in made])


def opening(of: Rule, server: Server, subject: str = "", at: datetime | None = None) -> moves.Opening:
    """The rule fires on the server, now."""
    at = at or timezone.now()
    return moves.Opening(of, server.pk, subject, at - timedelta(minutes=5), at, 93.5, MEMORY)


def opened(of: Rule, server: Server, subject: str = "") -> Incident:
    """An incident that opened just now."""
    with transaction.atomic():
        return moves.open_([opening(of, server, subject)])[0]


def closed(incident: Incident) -> None:
    """The incident is over."""
    with transaction.atomic():
        moves.close([moves.Closing(incident.pk, timezone.now(), states.CLEARED)])


def sent() -> int:
    """What is due is sent, by this thread; how many notices were dealt with."""
    throttle.fold()
    return sending.work()


def notices(**which: Any) -> list[tuple[str, str]]:
    """Events and states of the notices, oldest first."""
    return list(Notification.objects.filter(**which).order_by("id").values_list("event", "state"))


def lines(incident: Incident) -> list[str]:
    """The kinds of the lines of an incident's timeline."""
    return list(incident.entries.order_by("id").values_list("kind", flat=True))


def hurried(**which: Any) -> None:
    """What waits is due now."""
    past = timezone.now() - timedelta(seconds=1)
    Notification.objects.filter(state=models.QUEUED, **which).update(due_at=past)


def events(receiver: Receiver) -> Counter[str]:
    """How many messages of each kind it got."""
    return Counter(json.loads(got.body)["event"] for got in receiver.got)


def later() -> None:
    """The time in which so many may be sent is over."""
    Notification.objects.filter(sent_at__isnull=False).update(sent_at=timezone.now() - throttle.WITHIN)
    hurried()
