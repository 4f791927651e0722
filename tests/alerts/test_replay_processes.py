"""What rules on processes would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.evaluate import replay_restarts
from alerts.evaluate.remembered import Succession
from alerts.evaluate.replay import replay, replay_until
from alerts.incidents import flapping
from alerts.models import Incident, Rule, Standing
from alerts.rules import kinds
from servers import compaction, ingest, service_history
from servers import service_events as events
from servers.history import HOUR
from servers.models import HubAbsence, Newest, Server
from servers.service_events import Event
from servers.wire import Load, Proc, Report
from tests.alerts.process_series import STEP, Machine, Sampled
from tests.alerts.reporting import evaluate
from tests.servers.samples import proc

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
    told = Report(server.agent_id, at.timestamp(), Load(), sampled.procs, procs_total=sampled.total, **sampled.more)
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


@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_what_rounds_made_of_the_same_reports(web1: Server, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the samples are raw, compacted, or some of each."""
    monkeypatch.setattr(flapping, "TIMES", 10_000)
    rules, start = rules_of_all_kinds(), before_the_hour()
    sampled = list(Machine(seed).reports(start, 70))
    for one in sampled:
        report(web1, one)
        evaluate(one.at)
    end = sampled[-1].at + STEP
    assert start + HOUR / 6 < end  # some are of the next hour
    made: dict[int, Times] = {rule.pk: [] for rule in rules}
    for incident in Incident.objects.order_by("opened_at"):
        made[incident.rule_id].append(_seconds(start, incident.began_at, incident.opened_at, incident.closed_at))
    assert {rule.kind for rule in rules if made[rule.pk]} == LIMITS.keys()
    for hours in (0, 1, 2):
        compact([web1], start, hours)
        for rule in rules:
            assert times(rule, [web1], start, end) == made[rule.pk], (hours, rule.kind, rule.params, rule.limit)


NGINX, CRON = proc(10, name="nginx", cpu=40.0), proc(13, name="cron", cpu=95.0)


def busy(cpu: float | None) -> list[Proc]:
    return [proc(10, name="nginx", cpu=cpu), CRON]


@pytest.mark.parametrize("hours", [0, 1])
def test_an_episode_has_the_value_that_it_opened_with(web1: Server, hours: int) -> None:
    start = before_the_hour()
    tell(web1, [busy(cpu) for cpu in (None, 10.0, 60.5, 99.0, 0.0, 0.0)], start)
    compact([web1], start, hours)
    (one,) = replay(a_rule(kinds.PROCESS_CPU, 50), [web1.pk], start, start + HOUR) or []
    assert (one.server, one.subject, one.opened_at, one.value) == (web1.pk, "", start + 2 * STEP, 60.5)
    assert one.closed_at == start + 4 * STEP


@pytest.mark.parametrize("hours", [0, 1])
def test_only_the_asked_stretch_counts(web1: Server, hours: int) -> None:
    start = before_the_hour()
    tell(web1, [busy(cpu) for cpu in (99.0, 10.0, 10.0, 99.0, 10.0, 99.0, 99.0)], start)
    compact([web1], start, hours)
    rule = a_rule(kinds.PROCESS_CPU, 50)
    assert times(rule, [web1], start + STEP, start + 6 * STEP) == [(20, 20, 30), (40, 40, None)]


def test_hours_that_are_well_are_passed_over_and_end_what_stands(web1: Server) -> None:
    start = before_the_hour()
    tell(web1, [busy(99.0 if place < 90 else 10.0) for place in range(150)], start)
    compact([web1], start, 2)
    rule = a_rule(kinds.PROCESS_CPU, 50, for_sec=300, clear_for_sec=120)
    assert times(rule, [web1], start, start + HOUR) == [(0, 300, 1020)]


@pytest.mark.parametrize("hours", [0, 1])
def test_while_the_cpu_of_nobody_is_known_nothing_ends(web1: Server, hours: int) -> None:
    start = before_the_hour()
    tell(web1, [busy(cpu) for cpu in (99.0, None, 99.0, None, 10.0, None)], start)
    compact([web1], start, hours)
    assert times(a_rule(kinds.PROCESS_CPU, 50), [web1], start, start + HOUR) == [(0, 0, 40)]


def test_a_silence_interrupts_what_has_to_last(web1: Server) -> None:
    start = before_the_hour()
    for seconds in (0, 10, 50, 60, 70):  # silent from 40 on
        report(web1, Sampled(start + timedelta(seconds=seconds), busy(99.0), 2, {}))
    assert times(a_rule(kinds.PROCESS_CPU, 50, for_sec=20), [web1], start, start + HOUR) == [(50, 70, None)]


def test_nothing_counts_through_an_absence_of_the_hub(web1: Server) -> None:
    start = before_the_hour()
    tell(web1, [busy(99.0)] * 9, start)
    HubAbsence.objects.create(start=start + 1.5 * STEP, end=start + 3.5 * STEP, why=HubAbsence.STOPPED)
    assert times(a_rule(kinds.PROCESS_CPU, 50, for_sec=30), [web1], start, start + HOUR) == [(40, 70, None)]


def test_what_comes_late_into_a_compacted_hour_counts_at_its_time(web1: Server) -> None:
    start = before_the_hour()
    tell(web1, [busy(10.0)] * 3, start)
    compact([web1], start, 1)
    for seconds, cpu in ((15, 99.0), (40, 10.0)):
        report(web1, Sampled(start + timedelta(seconds=seconds), busy(cpu), 2, {}))
    for hours in (0, 1):
        compact([web1], start, hours)
        assert times(a_rule(kinds.PROCESS_CPU, 50), [web1], start, start + HOUR) == [(15, 15, 20)]


def test_what_a_table_leaves_out_may_be_what_is_missing(web1: Server) -> None:
    start = before_the_hour()
    for place, total in enumerate((2, 900, 1, 2)):
        report(web1, Sampled(start + place * STEP, [CRON], total, {}))
    for hours in (0, 1):
        compact([web1], start, hours)
        assert times(a_rule(kinds.MISSING, 1), [web1], start, start + 2 * STEP) == []
        assert times(a_rule(kinds.MISSING, 1), [web1], start, start + HOUR) == [(20, 20, None)]


def test_no_other_server_is_begun_when_it_is_enough(web1: Server, web2: Server, db1: Server) -> None:
    start, servers = before_the_hour(), [web1, web2, db1]
    for server in servers:
        tell(server, [busy(99.0)], start)
    compact([web1], start, 1)
    rule, numbers = a_rule(kinds.PROCESS_CPU, 50), [server.pk for server in servers]

    def after(many: int) -> list[int]:
        looks = iter(range(1, 10))  # it is asked before each but the first
        found = replay_until(rule, numbers, start, start + HOUR, lambda: next(looks) >= many)
        assert found is not None
        assert sorted(one.server for one in found.episodes) == sorted(found.looked_at)
        return found.looked_at

    assert after(1) == numbers[:1]  # one is looked at whatever that takes
    assert after(2) == numbers[:2]
    assert after(9) == numbers


@pytest.mark.parametrize("kind", [kinds.MISSING, kinds.TOO_MANY, kinds.PROCESS_CPU, kinds.PROCESS_MEMORY])
def test_which_processes_services_had_history_does_not_tell(web1: Server, kind: str) -> None:
    start = before_the_hour()
    tell(web1, [busy(99.0)], start)
    assert replay(a_rule(kind, 1, by="service", pattern="nginx*"), [web1.pk], start, start + HOUR) is None


def test_restarts_of_services_are_what_rounds_made_of_the_same_events(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flapping, "TIMES", 10_000)
    monkeypatch.setattr(replay_restarts, "PACE", STEP)
    rules, start = restart_rules(), before_the_hour()
    happens: dict[int, tuple[str, str, dict[str, Any]]] = {
        3: ("nginx.service", events.RESTARTED, {}), 5: ("other.service", events.CRASHED, {}),
        6: ("nginx.service", events.CRASHED, {"pidBefore": 1}), 7: ("nginx.service", events.CAME_BACK, {}),
        9: ("nginx-b.service", events.CAME_BACK, {"pidBefore": 4}), 33: ("nginx.service", events.STOPPED, {}),
        20: ("nginx.service", events.CRASHED, {"restarts": 3}), 32: ("nginx.service", events.CRASHED, {"restarts": 12}),
    }  # fmt: skip
    for place in range(60):
        at = start + place * STEP
        report(web1, Sampled(at, [CRON], 1, {"services": []} if not place else {}))
        Newest.objects.filter(server=web1).update(services_at=at)
        if place in happens:
            name, kind, facts = happens[place]
            service_history.record(web1.pk, [Event(name, at, kind, facts)])
        evaluate(at)
    for rule in rules:
        made = [
            _seconds(start, one.began_at, one.opened_at, one.closed_at)
            for one in Incident.objects.filter(rule=rule).order_by("opened_at")
        ]
        assert made
        assert times(rule, [web1], start, start + 59 * STEP) == made, rule.params


def restart_rules() -> list[Rule]:
    """Saved."""
    made = []
    for pattern, window, limit in (("nginx*", 100, 2), ("nginx", 60, 1), ("*", 150, 4), ("nginx*", 300, 3)):
        rule = a_rule(kinds.RESTARTING, limit, by="service", pattern=pattern, withinSec=window)
        rule.name = f"{pattern} {window}"
        rule.save()
        made.append(rule)
    return made


def test_nothing_is_written(web1: Server) -> None:
    start = before_the_hour()
    tell(web1, [[NGINX], [], [proc(20, name="nginx", start_ticks=200)]], start)
    assert replay(a_rule(kinds.RESTARTING, 1, withinSec=60), [web1.pk], start, start + HOUR)
    assert [model.objects.count() for model in (Standing, Succession, Incident, Rule)] == [0, 0, 0, 0]
