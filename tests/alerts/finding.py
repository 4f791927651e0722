"""Rules and reports for finders, and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone

from alerts.evaluate.found import Aim, Finder, Seen, Stretch
from alerts.models import Rule, Standing
from servers import ingest
from servers.models import Server
from servers.wire import Report
from tests.servers.reports import report

NOW = timezone.now().replace(microsecond=0)
SECOND = timedelta(seconds=1)


def rule(kind: str, limit: float | None = None, clear: float | None = None, **params: Any) -> Rule:
    """A rule of that kind; params by the names they are kept under."""
    facts = {"kind": kind, "params": params, "limit": limit, "clear_limit": clear, "severity": "warning"}
    return Rule.objects.create(name=f"rule {Rule.objects.count()}", made_at=NOW, **facts)


def told(server: Server, seconds: float, procs: Sequence[Any] = (), **facts: Any) -> datetime:
    """Store a report received so many seconds after NOW; returns when that was."""
    at = NOW + seconds * SECOND
    body = report(agentId=server.agent_id, ts=at.timestamp(), **facts)
    body["procs"] = [msgspec.to_builtins(one) for one in procs]
    assert ingest.store(server, msgspec.convert(body, Report), at).outcome == ingest.STORED
    return at


def stands(rule: Rule, server: Server, seconds: float = -100, subject: str = "") -> Standing:
    """Something stands of a rule, looked at last so many seconds after NOW."""
    at = NOW + seconds * SECOND
    return Standing.objects.create(rule=rule, server=server, subject=subject, phase="firing", since=at, at=at)


def find(finder: Finder, rules: Sequence[Rule], servers: Sequence[Server], seconds: float) -> list[Seen]:
    """What a round finds that looks at the ten seconds up to so many after NOW."""
    stretch = Stretch(NOW + (seconds - 10) * SECOND, NOW + seconds * SECOND)
    aims = [Aim(one, [server.pk for server in servers]) for one in rules]
    return list(finder(aims, stretch, list(Standing.objects.filter(rule__in=rules))))
