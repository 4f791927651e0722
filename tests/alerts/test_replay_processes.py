"""What rules on processes would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from alerts.evaluate.replay import replay
from alerts.incidents import flapping
from alerts.models import Incident, Rule
from alerts.rules import kinds
from servers import compaction, ingest
from servers.history import HOUR
from servers.models import Server
from servers.wire import Load, Proc, Report
from tests.alerts.process_series import STEP, Machine, Sampled
from tests.alerts.reporting import evaluate

pytestmark = pytest.mark.django_db
Times = list[tuple[float, float, float | None]]
MEANT = (("name", "nginx"), ("name", "N*"), ("name", "no-such"), ("cmdline", "worker"), ("user", "deploy"))
HOW: tuple[dict[str, Any], ...] = (
    {}, {"for_sec": 20}, {"clear_for_sec": 40, "for_sec": 10}, {"k": 2, "n": 4}, {"for_sec": 60, "clear_for_sec": 100},
)  # fmt: skip
LIMITS: dict[str, tuple[tuple[float, float | None], ...]] = {
    kinds.MISSING: ((1, None), (2, 3)),
    kinds.TOO_MANY: ((1, None), (2, 1)),
    kinds.RESTARTING: ((1, None), (3, 2)),
    kinds.PROCESS_CPU: ((30, None), (60.2, 29.9)),
    kinds.PROCESS_MEMORY: ((50, None), (100, 50)),
}


def before_the_hour() -> datetime:
    """A moment so that ten minutes later an hour begins that is over."""
    return timezone.now().replace(minute=50, second=0, microsecond=0) - 2 * HOUR


def report(server: Server, sampled: Sampled) -> None:
    at = sampled.at
    told = Report(server.agent_id, at.timestamp(), sampled.procs, Load(), procs_total=sampled.total, **sampled.more)
    assert ingest.store(server, told, at).outcome == ingest.STORED


def tell(server: Server, tables: Sequence[Sequence[Proc]], start: datetime) -> None:
    """Reports ten seconds apart."""
    for place, procs in enumerate(tables):
        report(server, Sampled(start + place * STEP, list(procs), len(procs), {}))


def compact(servers: Sequence[Server], start: datetime, hours: int) -> int:
    """So many hours from the one of the moment on; how many tables were moved."""
    first = start.replace(minute=0, second=0, microsecond=0)
    pairs = [(server, first + number * HOUR) for server in servers for number in range(hours)]
    return sum(compaction.compact_hour(server.pk, hour, timezone.now()) for server, hour in pairs)


def a_rule(kind: str, limit: float, clear: float | None = None, **facts: Any) -> Rule:
    """Not saved; params by the names they are kept under, as the rest is by columns'."""
    how = {name: facts.pop(name) for name in ("for_sec", "clear_for_sec", "k", "n") if name in facts}
    params = {"by": "name", "pattern": "nginx"} | facts
    return Rule(
        kind=kind, params=params, limit=limit, clear_limit=clear, severity="warning", made_at=timezone.now(), **how
    )


def rules_of_all_kinds() -> list[Rule]:
    """Saved: each kind with each way to mean processes and each way to last, not all of them with one another."""
    made = []
    for kind, limits in LIMITS.items():
        more: list[dict[str, Any]] = [{}]
        if kind in (kinds.PROCESS_CPU, kinds.PROCESS_MEMORY):
            more = [{}, {"together": True}]
        if kind == kinds.RESTARTING:
            more = [{"withinSec": 60}, {"withinSec": 300}]
        for place, (by, pattern) in enumerate(MEANT):
            for number, (limit, clear) in enumerate(limits):
                for params in more:
                    made.append(
                        a_rule(kind, limit, clear, by=by, pattern=pattern, **params, **HOW[(place + number) % len(HOW)])
                    )
    for number, rule in enumerate(made):
        rule.name = f"r{number}"
        rule.save()
    return made


def times(rule: Rule, servers: Sequence[Server], start: datetime, end: datetime) -> Times:
    """When each incident would have begun, opened and closed, in seconds after the start."""
    episodes = replay(rule, [server.pk for server in servers], start, end)
    assert episodes is not None
    return [_seconds(start, one.began_at, one.opened_at, one.closed_at) for one in episodes]


def _seconds(
    start: datetime, began: datetime, opened: datetime, closed: datetime | None
) -> tuple[float, float, float | None]:
    return (
        (began - start).total_seconds(),
        (opened - start).total_seconds(),
        None if closed is None else (closed - start).total_seconds(),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_what_rounds_made_of_the_same_reports(web1: Server, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the samples are raw, compacted, or some of each."""
    monkeypatch.setattr(flapping, "TIMES", 10_000)
    rules, start = rules_of_all_kinds(), before_the_hour()
    end = start
    for sampled in Machine(seed).reports(start, 120):
        report(web1, sampled)
        evaluate(sampled.at)
        end = sampled.at + STEP
    made: dict[int, Times] = {rule.pk: [] for rule in rules}
    for one in Incident.objects.order_by("opened_at"):
        made[one.rule_id].append(_seconds(start, one.began_at, one.opened_at, one.closed_at))
    assert sum(map(bool, made.values())) > len(rules) // 2
    for hours in (0, 1, 2):
        compact([web1], start, hours)
        for rule in rules:
            assert times(rule, [web1], start, end) == made[rule.pk], (hours, rule.kind, rule.params, rule.limit)
