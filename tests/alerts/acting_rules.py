"""Rules that act and incidents that have just opened, for tests of capsules and remedies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from alerts import moves, states
from alerts.models import Incident, IncidentEntry, Rule
from alerts.rules import kinds
from servers.models import Server
from tests.actions.making import NGINX


def rule(maker: User | None = None, **columns: Any) -> Rule:
    """A rule on failed services; with a maker it restarts them."""
    given: dict[str, Any] = {"name": "Web down", "kind": kinds.FAILED, "severity": "critical"}
    given |= {"made_at": timezone.now(), "made_by": maker, "made_by_name": maker.username if maker else ""}
    given |= {"remedy_cmd": "restart"} if maker else {}
    return Rule.objects.create(**{**given, **columns})


def opened(
    rule: Rule,
    server: Server,
    subject: str = NGINX,
    /,
    *,
    at: datetime | None = None,
    began: datetime | None = None,
    **facts: Any,
) -> Incident:
    """An incident that opened at that moment, and began then or before."""
    at = at or timezone.now()
    with transaction.atomic():
        (made,) = moves.open_([moves.Opening(rule, server.pk, subject, began or at, at, 1.0, facts)])
    return made


def closed(incident: Incident) -> None:
    """It is over, by a person's word, which is not counted as flapping."""
    with transaction.atomic():
        moves.close([moves.Closing(incident.pk, timezone.now(), states.BY_HAND)])


def lines(incident: Incident) -> list[str]:
    """The kinds of its timeline's lines, oldest first."""
    return list(IncidentEntry.objects.filter(incident=incident).order_by("id").values_list("kind", flat=True))


def line(incident: Incident, kind: str) -> IncidentEntry:
    """Its only line of that kind."""
    return IncidentEntry.objects.get(incident=incident, kind=kind)
