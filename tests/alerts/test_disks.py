"""Rules on filesystems, by what agents measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection

from alerts.evaluate import disks
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Seen
from alerts.models import Rule
from alerts.rules import kinds
from servers import states
from servers.models import Server
from tests.alerts.finding import NOW, SECOND, find, rule, stands, told

pytestmark = pytest.mark.django_db


def disk(mount: str = "/", used: float = 950.0, total: float = 1000.0) -> dict[str, Any]:
    return {"mount": mount, "device": "/dev/sda1", "fs": "ext4", "usedMB": used, "totalMB": total}


def look(server: Server, one: Rule, seconds: float = 0) -> list[Seen]:
    return find(disks.find, [one], [server], seconds)


def remember(server: Server, points: Sequence[tuple[float, float]], mount: str = "/") -> None:
    """Put measurements into history: so many seconds after NOW, so many MB used."""
    insert = "INSERT INTO servers_diskusage VALUES (%s, %s, %s, %s, 1000)"
    with connection.cursor() as cursor:
        cursor.executemany(insert, [(server.pk, mount, NOW + seconds * SECOND, used) for seconds, used in points])


def predict_linear(points: Sequence[tuple[float, float]], seconds: float) -> float:
    """Prometheus' (promql/functions.go linearRegression): the value so many seconds from now, which is 0."""
    n = float(len(points))
    sum_x, sum_y = sum(x for x, _y in points), sum(y for _x, y in points)
    cov = sum(x * y for x, y in points) - sum_x * sum_y / n
    slope = cov / (sum(x * x for x, _y in points) - sum_x * sum_x / n)
    return slope * seconds + sum_y / n - slope * sum_x / n


def test_a_disk_over_the_limit_is_told_by_its_mount(web1: Server) -> None:
    at = told(web1, 0, disks=[disk(), disk("/data", 100), disk("/none", 0, 0)])
    used = rule(kinds.DISK_USED, 90)
    assert look(web1, used) == [Seen(used.pk, web1.pk, "/", at, OVER, 95.0, {"limit": 90.0})]
    assert look(web1, rule(kinds.DISK_USED, 95)) == []


@pytest.mark.parametrize(
    ("pattern", "mounts"), [("*", {"/", "/data"}), ("/", {"/"}), ("/d*", {"/data"}), ("/DATA", set())]
)
def test_disks_are_meant_by_a_pattern_of_mounts(web1: Server, pattern: str, mounts: set[str]) -> None:
    told(web1, 0, disks=[disk(), disk("/data")])
    assert {seen.subject for seen in look(web1, rule(kinds.DISK_USED, 90, mount=pattern))} == mounts


def test_what_stands_is_told_with_each_measurement(web1: Server) -> None:
    used = rule(kinds.DISK_USED, 90, clear=80)
    stands(used, web1, -5, "/")
    levels = []
    for seconds, percent in ((0, 85), (60, 80)):
        told(web1, seconds, disks=[disk(used=10 * percent)])
        levels += [(seen.level, seen.value) for seen in look(web1, used, seconds)]
    assert levels == [(BETWEEN, 85), (UNDER, 80)]
    stands(rule(kinds.DISK_USED, 90), web1, 60, "/")
    told(web1, 70)  # nothing measured since
    assert find(disks.find, list(Rule.objects.exclude(pk=used.pk)), [web1], 70) == []


def test_a_disk_that_is_gone_closes(web1: Server) -> None:
    used = rule(kinds.DISK_USED, 90)
    stands(used, web1, -5, "/mnt")
    at = told(web1, 0, disks=[disk(used=1)])
    assert look(web1, used) == [Seen(used.pk, web1.pk, "/mnt", at, UNDER, None, {"gone": True})]


@pytest.mark.parametrize("why", ["silent", "not measured"])
def test_where_nothing_is_known_nothing_is_told(web1: Server, why: str) -> None:
    told(web1, 0, disks=[disk()])
    used = rule(kinds.DISK_USED, 90)
    stands(used, web1, 890, "/")
    if why == "silent":
        Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    else:
        told(web1, 901)
    (seen,) = look(web1, used, 905)
    assert (seen.level, seen.at) == (NO_DATA, NOW + 905 * SECOND)


@pytest.mark.parametrize("seed", range(20))
def test_when_it_is_full_is_what_prometheus_predicts(web1: Server, seed: int) -> None:
    chance = Random(seed)
    grows = chance.uniform(0.001, 0.05)  # MB a second
    points = [(-300.0 * n, 500 - 300 * n * grows + chance.gauss(0, 3)) for n in range(1, 71) if chance.random() < 0.9]
    remember(web1, [*points, (-6 * 3600 - 1, 9_999)])  # and one that is too old
    told(web1, 0, disks=[disk(used=500)])
    (seen,) = look(web1, rule(kinds.DISK_FILLING, 1e6))
    assert predict_linear([*points, (0, 500)], 3600 * (seen.value or 0)) == pytest.approx(1000)
    assert seen.facts == {"limit": 1e6, "used": 50.0}


@pytest.mark.parametrize(
    ("points", "level"),
    [
        ([], UNDER),  # one measurement is no line
        ([(-3600, 960)], UNDER),  # it is emptied
        ([(-3600, 950)], UNDER),
        ([(-3600, 945)], UNDER),  # 10 h
        ([(-3600, 943)], BETWEEN),  # 50/7 h
        ([(-3600, 930)], OVER),  # 2.5 h
    ],
)
def test_filling_is_over_where_it_is_full_within_the_limit(
    web1: Server, points: list[tuple[float, float]], level: str
) -> None:
    remember(web1, points)
    told(web1, 0, disks=[disk()])
    filling = rule(kinds.DISK_FILLING, 5, clear=9)
    assert [seen.level for seen in look(web1, filling)] == ([OVER] if level == OVER else [])
    stands(filling, web1, -5, "/")
    (seen,) = look(web1, filling)
    assert seen.level == level


def test_each_mount_and_server_has_its_own_line(web1: Server, db1: Server) -> None:
    remember(web1, [(-3600, 900)])
    remember(db1, [(-3600, 900)], "/data")
    for server in (web1, db1):
        told(server, 0, disks=[disk(), disk("/data")])
    found = find(disks.find, [rule(kinds.DISK_FILLING, 5)], [web1, db1], 0)
    assert {(seen.server, seen.subject) for seen in found} == {(web1.pk, "/"), (db1.pk, "/data")}
    assert timedelta(hours=found[0].value or 0) == timedelta(hours=1)
