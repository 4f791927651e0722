"""Rules and incidents that the tests start from, opened and closed as rounds of evaluation do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from actions.models import AuditEntry
from alerts import moves, states, timeline
from alerts.models import Incident, Rule
from alerts.moves import Closing, Opening
from alerts.rules import kinds
from servers.models import Server, ServerGroup

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Told = list[tuple[str, list[int]]]


def rule(name: str = "Lost", kind: str = kinds.SILENT, **columns: Any) -> Rule:
    """A rule as the editor makes it."""
    given = {"severity": states.CRITICAL, "made_at": timezone.now(), **columns}
    return Rule.objects.create(name=name, kind=kind, **given)


def opening(
    one: Rule, server: Server | int, subject: str = "", at: datetime | None = None, **facts: Any
) -> Opening:  # fmt: skip
    """The subject's rule fires at a sample, now if not said, over the limit since a minute before."""
    at = at or timezone.now()
    number = server if isinstance(server, int) else server.pk
    value = facts.pop("value", None)
    return Opening(one, number, subject, at - timedelta(minutes=1), at, value, facts)


def opened(one: Rule, server: Server | int, subject: str = "", at: datetime | None = None, **facts: Any) -> Incident:
    """The new incident."""
    (made,) = open_all([opening(one, server, subject, at, **facts)])
    return made


def open_all(openings: Sequence[Opening]) -> list[Incident]:
    """What one round opens."""
    with transaction.atomic():
        return moves.open_(openings)


def close_all(
    incidents: Iterable[Incident], at: datetime | None = None, reason: str = states.CLEARED
) -> list[Incident]:
    """What one round closes."""
    at = at or timezone.now()
    with transaction.atomic():
        return moves.close([Closing(one.pk, at, reason) for one in incidents])


def farm(count: int, group: ServerGroup | None = None) -> list[Server]:
    """Many servers."""
    return Server.objects.bulk_create(
        Server(
            agent_id=f"srv-{n:04}", hostname=f"srv-{n:04}.example.net", group=group,
            token_prefix=f"pma_{n:06}", token_hash="x",
        )
        for n in range(count)
    )  # fmt: skip


def lines(incident: Incident) -> list[str]:
    """The kinds of an incident's timeline."""
    return list(incident.entries.order_by("id").values_list("kind", flat=True))


def audited(event: str) -> list[AuditEntry]:
    """What is on record of an event, oldest first."""
    return list(AuditEntry.objects.filter(event=event).order_by("id"))


@contextmanager
def listening() -> Iterator[Told]:
    """What listeners are told meanwhile, who are this one alone: the move and the numbers of the incidents."""
    told: Told = []

    def hear(kind: str, incidents: Sequence[Incident]) -> None:
        told.append((kind, [one.pk for one in incidents]))

    others = timeline.LISTENERS[:]
    timeline.LISTENERS[:] = [hear]
    try:
        yield told
    finally:
        timeline.LISTENERS[:] = others
