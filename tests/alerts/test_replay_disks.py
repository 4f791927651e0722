"""What rules on filesystems would have made of the past is what rounds would have made of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from alerts.evaluate import replay_disks
from alerts.evaluate.replay import Episode, replay
from alerts.models import Rule
from alerts.rules import kinds
from servers import history, partitions, states, watching
from servers.models import HubAbsence, Server, StateChange
from servers.wire import Disk
from tests.alerts.replayed import about, episodes_of, listened
from tests.alerts.reporting import MINUTE, SECOND, a_rule, evaluate, recently, report

pytestmark = pytest.mark.django_db
STEP = 5 * MINUTE
HOUR = 60 * MINUTE
EPOCH = datetime.fromtimestamp(0, UTC)
INSERT = "INSERT INTO servers_diskusage VALUES (%s, %s, %s, %s, 1000)"


def long_ago(ago: timedelta) -> datetime:
    """A moment at which five minutes begin, as history has them."""
    moment = recently(ago)
    return moment - (moment - EPOCH) % STEP


def rule(kind: str = kinds.DISK_USED, limit: float = 90, mount: str = "*", **facts: Any) -> Rule:
    """Not saved."""
    return Rule(kind=kind, params={"mount": mount}, limit=limit, severity="warning", **facts)


def write(server: Server, start: datetime, used: Sequence[float | None], mount: str = "/") -> None:
    """So many MB of 1000, a point each five minutes; none where there is no value."""
    partitions.make(history.LEVELS[history.DISKS], start, start + len(used) * STEP)
    points = [(server.pk, mount, start + place * STEP, mb) for place, mb in enumerate(used) if mb is not None]
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, points)


def steps(episodes: Sequence[Episode] | None, start: datetime) -> list[tuple[str, float, float | None]]:
    """Of each its mount, and in points from the start when it opened and closed."""
    assert episodes is not None
    return [
        (one.subject, (one.opened_at - start) / STEP, None if one.closed_at is None else (one.closed_at - start) / STEP)
        for one in episodes
    ]


def a_life(chance: Random, count: int) -> list[float | None]:
    """MB used of a filesystem that fills, is emptied, stays, or is not there for a while."""
    used: list[float | None] = []
    level = chance.uniform(100, 950)
    while len(used) < count:
        length, rises = chance.randrange(1, 15), chance.choice([0, 0, 6, 25, -10])
        there = chance.random() < 0.85
        for _ in range(length):
            level = min(1000.0, max(0.0, level + rises + chance.choice([0, chance.gauss(0, 2)])))
            used.append(level if there else None)
    return used[:count]


RULES: list[dict[str, Any]] = [
    {"kind": kinds.DISK_USED, "limit": 80},
    {"kind": kinds.DISK_USED, "limit": 80, "clear_limit": 60, "for_sec": 600, "clear_for_sec": 900},
    {"kind": kinds.DISK_USED, "limit": 50, "for_sec": 1800, "params": {"mount": "/v*"}},
    {"kind": kinds.DISK_FILLING, "limit": 3},
    {"kind": kinds.DISK_FILLING, "limit": 4, "clear_limit": 8, "for_sec": 900, "clear_for_sec": 600},
    {"kind": kinds.DISK_FILLING, "limit": 24, "for_sec": 600},
]


@pytest.mark.parametrize("seed", range(2))
def test_it_is_what_rounds_made_of_the_same_reports(
    web1: Server, web2: Server, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With gaps in which servers report but measure nothing, and silences."""
    chance, count, events = Random(seed), 100, listened(monkeypatch)
    start = recently((count + 1) * STEP) + chance.randrange(300) * SECOND
    partitions.make(history.LEVELS[history.DISKS], start, start + count * STEP)
    rules = [a_rule(**{"params": {"mount": "*"}} | facts) for facts in RULES]
    lives = {server: {mount: a_life(chance, count) for mount in ("/", "/var", "/home")} for server in (web1, web2)}
    measures, silences = ([chance.random() < share for _ in range(count)] for share in (0.8, 0.04))
    for place in range(count):
        at = start + place * STEP
        for server, mounts in lives.items():
            used = {mount: life[place] for mount, life in mounts.items()}
            disks = [Disk(mount, mb, 1000.0) for mount, mb in used.items() if mb is not None]
            heard_again = place > 0 and silences[place - 1]
            report({server: 5}, at, disks=disks if disks and (measures[place] or heard_again) else None)
        evaluate(at)
        if silences[place]:
            StateChange.objects.create(server=web1, state=states.SILENT, at=at)
            Server.objects.filter(pk=web1.pk).update(state=states.SILENT, state_since=at)
            evaluate(at + settings.SILENT_AFTER_REPORTS * watching.usual() * SECOND)
    told = [about(replay(one, [web1.pk, web2.pk], start - STEP, start + count * STEP)) for one in rules]
    assert sum(map(len, told)) > 20
    for one, replayed in zip(rules, told, strict=True):
        assert replayed == about(episodes_of(one, events)), one


def test_of_a_mount_that_is_told_no_more_it_closes_with_the_first_that_goes_on(web1: Server) -> None:
    start = long_ago(2 * HOUR)
    write(web1, start, [950, 950, 950, None, None, 950, 100])
    write(web1, start + MINUTE, [10, 10, 10, 10, None, 10, 10], "/other")
    episodes = replay(rule(), [web1.pk], start - STEP, start + HOUR)
    assert steps(episodes, start) == [("/", 0, 3.2), ("/", 5, 6)]


def test_where_nothing_was_measured_at_all_it_stays_open(web1: Server, web2: Server) -> None:
    start = long_ago(2 * HOUR)
    write(web1, start, [950, 950, None, None, None, None, None, 950, 100])
    write(web2, start, [10] * 9)
    episodes = replay(rule(), [web1.pk, web2.pk], start - STEP, start + HOUR)
    assert steps(episodes, start) == [("/", 0, 8)]
    lasting = rule(for_sec=15 * 60)
    assert steps(replay(lasting, [web1.pk], start - STEP, start + HOUR), start) == []


def test_nothing_counts_through_an_absence_of_the_hub(web1: Server) -> None:
    start = long_ago(2 * HOUR)
    write(web1, start, [950] * 10)
    HubAbsence.objects.create(start=start + 3.2 * STEP, end=start + 3.6 * STEP, why=HubAbsence.STOPPED)
    lasting = rule(for_sec=20 * 60)
    assert steps(replay(lasting, [web1.pk], start - STEP, start + HOUR), start) == [("/", 8, None)]


def test_only_servers_and_mounts_that_are_meant_are_told(web1: Server, web2: Server) -> None:
    start = long_ago(2 * HOUR)
    for server in (web1, web2):
        for mount in ("/", "/data", "/DATA"):
            write(server, start, [950, 950], mount)
    episodes = replay(rule(mount="/d*"), [web1.pk], start - STEP, start + HOUR)
    assert [(one.server, one.subject) for one in episodes or []] == [(web1.pk, "/data")]


def test_a_full_one_that_does_not_grow_is_not_filling(web1: Server) -> None:
    start = long_ago(4 * HOUR)
    write(web1, start, [1000.0] * 40)
    write(web1, start, [333.3333] * 40, "/calm")
    assert replay(rule(kinds.DISK_FILLING, 8_760), [web1.pk], start - STEP, start + 4 * HOUR) == []


def test_what_was_before_the_stretch_makes_its_first_line(web1: Server) -> None:
    start = long_ago(8 * HOUR)
    write(web1, start, [500.0 + 2 * place for place in range(40)])
    begin = start + 30 * STEP
    (one,) = replay(rule(kinds.DISK_FILLING, 24), [web1.pk], begin - SECOND, begin + HOUR) or []
    assert one.opened_at == begin
    assert one.value == pytest.approx((1000 - 560) / 24)


def test_its_curve_is_the_most_of_each_step(web1: Server) -> None:
    start = long_ago(8 * HOUR).replace(minute=0)
    write(web1, start, [10.0 * place for place in range(12)])
    write(web1, start, [999.0] * 12, "/other")
    drawn = replay_disks.curve(web1.pk, "/", start - SECOND, start + HOUR, 8)
    assert drawn == [(start + place * STEP, place + 1.0) for place in range(0, 12, 2)]
