"""Rules, contacts and incidents that the tests start from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from actions.models import AuditEntry
from alerts import moves
from alerts.models import Contact, Incident, Rule
from alerts.rules import changes, kinds
from alerts.rules.wanted import Wanted
from servers.models import Server

MEMORY = Wanted("Memory high on web", kinds.READING, {"metric": "mem"}, 90, 85, 300, scope="group:web")
FAILED = Wanted("Web service down", kinds.FAILED, {"service": "nginx.service"}, scope="group:web")
PROCESS = Wanted("keepalived runs", kinds.MISSING, {"by": "name", "pattern": "keepalived"}, 1, for_sec=30)


def rule(user: User, given: Wanted = MEMORY, **changed: Any) -> Rule:
    """A rule of the user's, made as people make it."""
    return changes.make(user, given._replace(**changed))


def contact(name: str = "ops") -> Contact:
    """Somebody to tell."""
    return Contact.objects.create(name=name, kind="email", address="ops@example.net", made_at=timezone.now())


def incident(one: Rule, server: Server, days_ago: float = 0) -> Incident:
    """An open incident of the rule."""
    at = timezone.now() - timedelta(days=days_ago)
    with transaction.atomic():
        (made,) = moves.open_([moves.Opening(one, server.pk, "", at, at, 93.0, {"metric": "mem", "limit": 90})])
    return made


def events(name: str) -> list[str]:
    """What is on record of the rule of that name, oldest first."""
    return list(AuditEntry.objects.filter(target=name).order_by("id").values_list("event", flat=True))
