"""Readings by the minute and by the hour agree with what Prometheus makes of the very same samples."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from django.db import connection

from servers import history, rollup
from servers.history import HOUR
from servers.models import Server
from tests.servers import rolledup
from tests.servers.prometheus import MILLISECOND, Prometheus, prometheus
from tests.servers.travelling import tell

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_empty_history"),
    pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed"),
]
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
END = rolledup.done() + 4 * HOUR
START, HOURS = END - 3 * HOUR, 3
AWAY = (START + 70 * MINUTE, START + 95 * MINUTE)  # the server said nothing
FUNCTIONS = {"avg_over_time": "avg", "min_over_time": "min", "max_over_time": "max", "count_over_time": "n"}
Samples = list[tuple[datetime, float]]


@pytest.fixture
def _empty_history() -> Iterator[None]:
    """These tables are no models', so nobody else empties them; what is rolled up begins with START."""
    with rolledup.nothing_before(START):
        yield


def single(value: float) -> float:
    """As the database keeps a reading."""
    kept: tuple[float] = struct.unpack("f", struct.pack("f", value))
    return kept[0]


def sent(server: Server) -> Samples:
    """Three hours of CPU as it is kept: at the very begin of minutes and two milliseconds before their end, too."""
    random, samples, at = Random(5), Samples(), START
    while at < END:
        samples.append((at, single(random.choice([0.0, 100.0, random.uniform(0, 100), random.gauss(50, 9)]))))
        at += 10 * SECOND + random.choice([-3, 0, 0, 2, 7]) * SECOND + random.randrange(0, 999, 2) * MILLISECOND
        if random.random() < 0.2:
            minute = START + (at - START) // MINUTE * MINUTE
            at = max(at, random.choice([minute + MINUTE, minute + MINUTE - 2 * MILLISECOND]))
        if AWAY[0] <= at < AWAY[1]:
            at = AWAY[1]
    late = samples[7::9]
    for moment, cpu in [*(one for one in samples if one not in late), *late]:
        tell(server, moment, [], cpu=cpu)
    return samples


def rolled(table: str, server: Server) -> dict[str, dict[datetime, float]]:
    """Of each function of Prometheus what we have, by when the minute or hour begins."""
    columns = ", ".join(f"cpu_{part}" for part in FUNCTIONS.values())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT at, {columns} FROM {table} WHERE server_id = %s ORDER BY 1", [server.pk])  # noqa: S608
        rows = cursor.fetchall()
    return {function: {row[0]: row[place] for row in rows} for place, function in enumerate(FUNCTIONS, 1)}


def theirs(oracle: Prometheus, width: timedelta) -> dict[str, dict[datetime, float]]:
    return {function: oracle.over(function, "cpu", START, END, width) for function in FUNCTIONS}


def test_each_minute_and_hour_is_what_prometheus_says(web1: Server, tmp_path: Path) -> None:
    samples = sent(web1)
    for _ in range(5):
        rollup.roll_up()
    edges = {(at - START) % MINUTE for at, _cpu in samples}
    assert {timedelta(0), MINUTE - 2 * MILLISECOND} <= edges
    assert MINUTE - MILLISECOND not in edges  # where Prometheus's versions differ
    with prometheus(tmp_path, {"cpu": samples}) as oracle:
        for table, width in ((history.HOST_MINUTES, MINUTE), (history.HOST_HOURS, HOUR)):
            ours, told = rolled(table, web1), theirs(oracle, width)
            assert set(told["avg_over_time"]) == {at - (at - START) % width for at, _cpu in samples}
            for function, values in told.items():
                assert ours[function] == pytest.approx(values, rel=2e-6, abs=1e-5), (table, function)
