"""What a rule would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from actions.models import AuditEntry
from alerts.evaluate import replay_readings
from alerts.evaluate.replay import Episode, replay
from alerts.models import Incident, Rule, Standing
from alerts.rules import kinds
from servers import history, partitions, rollup, service_history
from servers.history import HOUR
from servers.models import HubAbsence, Server, StateChange
from servers.service_events import Event
from tests.actions.making import command
from tests.alerts.pairs import a_pair
from tests.alerts.reporting import MINUTE, SECOND, evaluate, recently, report, servers_named
from tests.alerts.test_machine_prometheus import ours
from tests.servers import rolledup

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND
READING = "INSERT INTO servers_hostreading (server_id, sampled_at, ts, procs_total, cpu) VALUES (%s, %s, %s, 1, %s)"


def a_rule(kind: str = kinds.READING, **facts: object) -> Rule:
    """Not saved."""
    about = {"params": {"metric": "cpu"} if kind == kinds.READING else {}, "limit": 90, "severity": "warning"}
    return Rule(kind=kind, **(about | facts))


def write(server: Server, start: datetime, cpus: Sequence[float | None]) -> None:
    """Raw readings, one each ten seconds; none where there is no value."""
    with connection.cursor() as cursor:
        rows = [
            (server.pk, start + place * STEP, (start + place * STEP).timestamp(), cpu)
            for place, cpu in enumerate(cpus)
            if cpu is not None
        ]
        cursor.executemany(READING, rows)


def nothing_rolled_up_before(start: datetime) -> None:
    for level in rollup.WIDTHS:
        rolledup.until(level, start)


def seconds(episodes: list[Episode] | None, start: datetime) -> list[tuple[float, float, float | None]]:
    """Of each when it began, opened and closed."""
    assert episodes is not None
    return [
        (
            (one.began_at - start).total_seconds(),
            (one.opened_at - start).total_seconds(),
            None if one.closed_at is None else (one.closed_at - start).total_seconds(),
        )
        for one in episodes
    ]


def test_readings_fire_as_the_machine_that_prometheus_agrees_with() -> None:
    start, chance = recently(30 * MINUTE), Random(3)
    nothing_rolled_up_before(start)
    for number in range(25):
        asked, series = a_pair(chance, 90)
        (server,) = servers_named([f"past-{number}"])
        write(server, start, list(series))
        rule = a_rule(
            params={"metric": "cpu", "below": asked.below},
            limit=asked.limit,
            clear_limit=asked.clear,
            for_sec=asked.for_sec,
            clear_for_sec=asked.clear_for_sec,
            k=asked.k,
            n=asked.n,
        )
        fires = [False] * len(series)
        for one in replay(rule, [server.pk], start, start + 91 * STEP) or []:
            first = (one.opened_at - start) // STEP
            last = len(series) if one.closed_at is None else (one.closed_at - start) // STEP
            fires[first:last] = [True] * (last - first)
        assert fires == ours(asked, series), (asked, series)


def test_it_is_what_rounds_made_of_the_same_reports(web1: Server) -> None:
    rule, start = a_rule(for_sec=20, name="r", made_at=timezone.now()), recently()
    rule.save()
    cpus = [20, 95, 95, 95, 20, 91, 20, 99, 99, 99, 99]
    for place, cpu in enumerate(cpus):
        report({web1: cpu}, start + place * STEP)
        evaluate(start + place * STEP)
    told = [
        Episode(web1.pk, "", one.began_at, one.opened_at, one.closed_at, one.value) for one in Incident.objects.all()
    ]
    episodes = replay(rule, [web1.pk], start - STEP, start + 11 * STEP)
    assert episodes == sorted(told, key=lambda one: one.opened_at)
    assert seconds(episodes, start) == [(10, 30, 40), (70, 90, None)]


def some_hours(chance: Random, count: int) -> list[float | None]:
    """Mostly well; now and then over for a while, at the edges of hours too, or nothing at all."""
    cpus: list[float | None] = [chance.choice([20.0, 40.0, 84.0]) for _ in range(count * 360)]
    for _ in range(9):
        begin = chance.choice([chance.randrange(len(cpus)), chance.randrange(count) * 360 - chance.randrange(30)])
        length = chance.choice([1, 4, 40, 200])
        cpus[max(begin, 0) : begin + length] = [chance.choice([95.0, 88.0])] * len(cpus[max(begin, 0) : begin + length])
    for _ in range(2):
        begin = chance.randrange(len(cpus))
        length = len(cpus[begin : begin + 500])
        cpus[begin : begin + length] = [None] * length
    return cpus


@pytest.mark.parametrize(
    "facts", [{}, {"for_sec": 60, "clear_limit": 85}, {"clear_for_sec": 300}, {"k": 3, "n": 5}], ids=str
)
def test_hours_that_are_well_are_passed_over_without_missing_anything(facts: dict[str, Any]) -> None:
    """The same, whether hours are known or every sample is read."""
    start = rolledup.done() - 4 * HOUR
    partitions.make(history.LEVELS[history.HOST_READINGS], start, start + 12 * HOUR)
    for level in rollup.WIDTHS:
        partitions.make(history.LEVELS[level], start, start + 12 * HOUR)
    nothing_rolled_up_before(start)
    chance = Random(str(facts))
    servers = servers_named([f"past-{number}" for number in range(6)])
    for server in servers:
        write(server, start, some_hours(chance, 6))
    asked = (a_rule(**facts), [server.pk for server in servers], start, start + 6 * HOUR)
    whole = replay(*asked)
    rollup.roll_up()
    assert history.rolled_up_until(history.HOST_HOURS) >= start + 6 * HOUR
    assert len(whole or []) > 3
    assert replay(*asked) == whole


def test_what_is_no_longer_kept_raw_is_told_by_the_minute(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    start = rolledup.done()
    for level in rollup.WIDTHS:
        partitions.make(history.LEVELS[level], start, start + 8 * HOUR)
    nothing_rolled_up_before(start)
    write(web1, start, [20.0] * 60 + [95.0] * 60 + [20.0] * 600)
    rollup.roll_up()
    monkeypatch.setattr(replay_readings, "RAW_HOURS", 0)
    assert seconds(replay(a_rule(for_sec=300), [web1.pk], start, start + 2 * HOUR), start) == [(600, 900, 1200)]
    monkeypatch.setattr(replay_readings, "MINUTE_HOURS", 0)
    (one,) = replay(a_rule(limit=30), [web1.pk], start, start + 2 * HOUR) or []
    assert (one.began_at, one.opened_at, one.closed_at) == (start, start, start + HOUR)
    assert one.value == pytest.approx(32.5)


def test_nothing_counts_through_an_absence_of_the_hub(web1: Server) -> None:
    start = recently()
    nothing_rolled_up_before(start)
    write(web1, start, [95.0] * 9)
    HubAbsence.objects.create(start=start + 15 * SECOND, end=start + 35 * SECOND, why=HubAbsence.STOPPED)
    assert seconds(replay(a_rule(for_sec=30), [web1.pk], start, start + MINUTE), start) == []
    assert seconds(replay(a_rule(for_sec=30), [web1.pk], start, start + 2 * MINUTE), start) == [(40, 70, None)]


def test_shares_and_loads_of_each_processor(web1: Server) -> None:
    start = recently()
    nothing_rolled_up_before(start)
    report({web1: 5}, start, cpu_count=4)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_hostreading SET load1 = 9, mem_used_mb = 60, mem_total_mb = 100")
    for metric, value in (("load1PerCpu", 2.25), ("mem", 60)):
        (one,) = replay(a_rule(params={"metric": metric}, limit=2), [web1.pk], start, start + STEP) or []
        assert (one.opened_at, one.value) == (start, value)


def test_silence(web1: Server, web2: Server) -> None:
    start = recently(HOUR)
    for state, at in (("up", -60), ("silent", 100), ("up", 200), ("silent", 300), ("up", 400), ("silent", 900)):
        StateChange.objects.create(server=web1, state=state, at=start + at * SECOND)
    rule = a_rule(kinds.SILENT, limit=None, for_sec=60)
    episodes = replay(rule, [web1.pk, web2.pk], start, start + 1000 * SECOND)
    assert [tuple(map(int, one[:2])) for one in seconds(episodes, start)] == [(130, 190), (330, 390), (930, 990)]
    assert [one and round(one) for *_begin, one in seconds(episodes, start)] == [200, 400, None]


def test_boots_and_failed_commands(web1: Server, web2: Server) -> None:
    start = recently(HOUR)
    for server, at in ((web1, 10), (web1, 50), (web2, 30)):
        StateChange.objects.create(server=server, state="rebooted", at=start + at * SECOND)
    rule = a_rule(kinds.REBOOTED, params={"withinSec": 60}, limit=None)
    assert seconds(replay(rule, [web1.pk], start, start + HOUR), start) == [(10, 10, 110)]
    asked = command(web1, "failed")
    AuditEntry.objects.create(at=start + STEP, event="command.failed", command=asked, to_state="failed")
    (one,) = replay(a_rule(kinds.COMMAND_FAILED, params={"withinSec": 60}), [web1.pk], start, start + HOUR) or []
    assert (one.subject, one.opened_at, one.closed_at) == (asked.target, start + STEP, start + STEP + MINUTE)


def test_services(web1: Server) -> None:
    start = recently(HOUR)
    told = [("failed", 10), ("started", 40), ("restarted", 50), ("crashed", 60), ("failed", 500)]
    service_history.record(web1.pk, [Event("nginx.service", start + at * SECOND, kind, {}) for kind, at in told])
    service_history.record(web1.pk, [Event("other.service", start + SECOND, "failed", {})])

    def fired(kind: str, **facts: object) -> list[tuple[float, float, float | None]]:
        rule = a_rule(kind, **({"params": {"service": "nginx*"}} | facts))
        return seconds(replay(rule, [web1.pk], start, start + HOUR), start)

    often = {"service": "nginx*", "withinSec": 100}
    assert fired(kinds.FAILED) == [(10, 10, 40), (500, 500, None)]
    assert fired(kinds.FAILED, for_sec=200) == [(500, 700, None)]
    assert fired(kinds.FAILED, clear_for_sec=300) == [(10, 10, 340), (500, 500, None)]
    assert fired(kinds.FAILED, params={"service": "NGINX"}) == fired(kinds.FAILED)  # as rounds mean it
    assert fired(kinds.RESTARTED, params=often, limit=2) == [(60, 60, 150)]
    assert fired(kinds.RESTARTED, params=often, limit=2, for_sec=30, clear_for_sec=40) == [(60, 90, 190)]
    assert fired(kinds.FLAPPING, params=often, limit=3) == [(50, 50, 140)]


def test_what_history_does_not_keep_has_no_answer(web1: Server) -> None:
    assert replay(a_rule(kinds.OUTDATED), [web1.pk], recently(), timezone.now()) is None


def test_a_rule_that_cannot_be_understood_is_refused(web1: Server) -> None:
    with pytest.raises(msgspec.ValidationError):
        replay(a_rule(params={"metric": "happiness"}), [web1.pk], recently(), timezone.now())


def test_nothing_is_written(web1: Server) -> None:
    start = recently()
    nothing_rolled_up_before(start)
    write(web1, start, [95.0] * 3)
    assert replay(a_rule(), [web1.pk], start, start + timedelta(minutes=1))
    assert [model.objects.count() for model in (Standing, Incident, Rule)] == [0, 0, 0]
