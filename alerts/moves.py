"""The only module that changes incidents: each move is a conditional update, with its line of the timeline.

Whoever calls is in a transaction with what makes it move (the standing, the audit entry). Listeners are told in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from alerts import states
from alerts.models import Incident, IncidentEntry, Rule
from pmonitor import live

# Told of incidents that moved, in the transaction: (move of states.ENTRIES, the incidents, as they are now)
LISTENERS: list[Callable[[str, Sequence[Incident]], None]] = []


class Opening(NamedTuple):
    """A subject whose rule fires."""

    rule: Rule
    server: int
    subject: str
    began_at: datetime  # the first sample over the limit
    at: datetime  # the sample with which it fires
    value: float | None
    facts: dict[str, Any]


class Closing(NamedTuple):
    """A live incident that is over, at which sample, and why (of states.CLOSE_REASONS)."""

    incident: int
    at: datetime
    reason: str


class OutsideTransaction(RuntimeError):
    """A move must commit or vanish together with what makes it."""


def open_(openings: Iterable[Opening]) -> list[Incident]:
    """Open incidents; returns the new ones. A subject that has a live one gets none: whoever came first opened it."""
    _in_transaction()
    now = timezone.now()
    wanted = [_incident(opening, now) for opening in openings]
    Incident.objects.bulk_create(wanted, ignore_conflicts=True)
    made = list(Incident.objects.filter(uuid__in=[one.uuid for one in wanted]).select_related("rule", "server"))
    note(states.OPENED, made, at={one.pk: one.opened_at for one in made})
    return made


def close(closings: Iterable[Closing]) -> list[Incident]:
    """Close live incidents; returns those that this closed."""
    _in_transaction()
    closed = []
    for closing in closings:
        facts = {"state": states.CLOSED, "closed_at": closing.at, "close_reason": closing.reason}
        if _move(closing.incident, states.CLOSED, **facts, snoozed_until=None, no_data_since=None):
            closed.append(closing.incident)
    made = list(Incident.objects.filter(pk__in=closed).select_related("rule", "server"))
    note(states.ENDED, made, at={one.pk: one.closed_at for one in made})
    return made


def note(
    kind: str,
    incidents: Sequence[Incident],
    *,
    actor: str = "",
    text: str = "",
    facts: dict[str, Any] | None = None,
    at: dict[int, Any] | None = None,
) -> None:
    """Write a line of the timeline of each, tell the listeners and, after the commit, the pages."""
    _in_transaction()
    now = timezone.now()
    IncidentEntry.objects.bulk_create(
        IncidentEntry(
            incident=one, at=(at or {}).get(one.pk) or now, kind=kind, actor=actor, text=text, facts=facts or {}
        )
        for one in incidents
    )
    for listen in LISTENERS:
        listen(kind, incidents)
    announce(incidents)


def announce(incidents: Sequence[Incident]) -> None:
    """Tell the pages that show these incidents, after the commit."""
    if incidents:
        servers = {one.server_id for one in incidents if one.server_id}
        live.announce(
            "incidents:all",
            "fleet:all",
            *(f"incident:{one.pk}" for one in incidents),
            *(f"{kind}:{server}" for server in sorted(servers) for kind in ("alerts", "row")),
        )


def _move(incident: int, to: str, **facts: Any) -> bool:
    allowed = states.ALLOWED_FROM[to]
    return bool(Incident.objects.filter(pk=incident, state__in=allowed).update(**facts))


def _incident(opening: Opening, now: datetime) -> Incident:
    rule = opening.rule
    return Incident(
        rule=rule,
        rule_name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        server_id=opening.server,
        subject=opening.subject,
        began_at=opening.began_at,
        opened_at=opening.at,
        recorded_at=now,
        value=opening.value,
        worst=opening.value,
        facts=opening.facts,
        capsule_due=now,
    )


def _in_transaction() -> None:
    if not connection.in_atomic_block:
        raise OutsideTransaction
