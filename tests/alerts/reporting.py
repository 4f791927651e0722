"""Rules, and servers that report readings at moments of a test's own; rounds by the same clock."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts.evaluate import rounds
from alerts.models import Incident, Rule
from servers import ingest, states
from servers.models import Server
from servers.wire import Load, Report

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def recently(ago: timedelta = 10 * MINUTE) -> datetime:
    """A moment for a test to begin at, whose reports are neither of the future nor dropped."""
    return datetime.fromtimestamp(int(time.time()), UTC) - ago


def a_rule(**facts: Any) -> Rule:
    """A rule about CPU over 90%, on every server, at once; in the name of nobody."""
    about = {"name": f"rule {time.monotonic_ns()}", "kind": "reading", "params": {"metric": "cpu"}, "limit": 90}
    return Rule.objects.create(**(about | {"severity": "warning", "made_at": timezone.now()} | facts))


def servers_named(names: Sequence[str]) -> list[Server]:
    """Servers that are up, made in one statement."""
    return Server.objects.bulk_create(
        Server(agent_id=name, hostname=name, state=states.UP, token_prefix=name, token_hash=name) for name in names
    )


def report(values: Mapping[Server, float | None], at: datetime, ahead: float | None = None, **more: Any) -> None:
    """Each of these servers reports this CPU, sampled and received then; stored as reports are.

    ahead: by how many seconds its agent's clock is, where it tells that.
    """
    ts = at.timestamp() + (ahead or 0)
    sent_at = None if ahead is None else ts
    reports = [
        ingest.incoming(server, Report(server.agent_id, ts, Load(cpu=cpu), [], sent_at=sent_at, **more), at)
        for server, cpu in values.items()
    ]
    for end in ingest.store_all(reports):
        assert isinstance(end, ingest.Stored), end
        assert end.outcome == ingest.STORED


def evaluate(at: datetime) -> None:
    """A round at that moment."""
    rounds.evaluate(lambda: at)


def told(server: Server, cpus: Sequence[float | None], start: datetime, step: timedelta = 10 * SECOND) -> datetime:
    """A server reports one after the other, each looked at by a round of its own; returns when the last was."""
    for place, cpu in enumerate(cpus):
        report({server: cpu}, start + place * step)
        evaluate(start + place * step)
    return start + (len(cpus) - 1) * step


def episodes(start: datetime) -> list[tuple[str, float, float, float | None]]:
    """Every incident: its server, and in seconds from then when it began, opened and closed."""
    return [
        (
            one.server.agent_id if one.server else "",
            (one.began_at - start).total_seconds(),
            (one.opened_at - start).total_seconds(),
            (one.closed_at - start).total_seconds() if one.closed_at else None,
        )
        for one in Incident.objects.order_by("opened_at", "pk").select_related("server")
    ]
