"""Partitions are made ahead, dropped in time, and by two workers at once without trouble."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from servers import history, partitions
from tests.servers import rolledup
from tests.servers.test_ingest_races import at_once

LEVELS = list(history.LEVELS.values())
YEAR = timedelta(days=365)


@pytest.fixture
def _as_before(django_db_blocker: object) -> Iterator[None]:
    """Partitions are no models' tables: what a test makes or drops, it puts right."""
    yield
    for level in LEVELS:
        for name in partitions._names(level):
            start = partitions._end(level, name) - level.width
            if abs(start - timezone.now()) > timedelta(days=30):
                partitions._drop(level, name)
    partitions.keep()


pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_as_before")]


def names() -> dict[str, list[str]]:
    return {level.table: partitions._names(level) for level in LEVELS}


def holds(level: history.Level, moment: datetime) -> bool:
    (start,) = partitions._starts(level, moment, moment)
    return partitions.name_of(level, start) in partitions._names(level)


def test_now_and_what_comes_have_partitions() -> None:
    partitions.keep()
    now = timezone.now()
    for level in LEVELS:
        assert all(holds(level, now + level.ahead * part / 10) for part in range(11))
    assert history.LEVELS[history.HOST_READINGS].ahead >= timedelta(days=2)
    assert history.LEVELS[history.PROCESSES].ahead >= timedelta(hours=3)


def test_a_second_run_changes_nothing() -> None:
    partitions.keep()
    before = names()
    partitions.keep()
    assert names() == before


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.table)
def test_what_has_outlived_its_level_is_dropped_and_the_rest_stays(level: history.Level) -> None:
    now = timezone.now()
    old, edge = now - level.kept - 2 * level.width, now - level.kept
    rolledup.until(history.HOST_MINUTES, now)
    partitions.make(level, old, old)
    partitions.make(level, edge, edge)
    if level.emptied is not None:
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {level.table} VALUES (0, %s, 0, 0, '')", [edge])  # noqa: S608
    assert holds(level, old)
    partitions.keep()
    assert not holds(level, old)
    assert holds(level, edge)  # it still holds samples that are to live on


def test_a_day_and_an_hour_are_utcs() -> None:
    moment = datetime(2025, 3, 30, 1, 59, 59, 999999, UTC)
    readings, processes = LEVELS[:2]
    assert [partitions.name_of(readings, s) for s in partitions._starts(readings, moment, moment)] == [
        "servers_hostreading_2025033000"
    ]
    assert [partitions.name_of(processes, s) for s in partitions._starts(processes, moment, moment)] == [
        "servers_processsnapshot_2025033001"
    ]


def test_many_workers_at_once_make_each_once() -> None:
    first = timezone.now() + YEAR
    outcomes = at_once([lambda: partitions.make(LEVELS[1], first, first + timedelta(hours=5))] * 6)
    assert outcomes == [None] * 6
    assert sum(holds(LEVELS[1], first + timedelta(hours=hour)) for hour in range(6)) == 6


def test_many_workers_at_once_drop_each_once() -> None:
    old = timezone.now() - YEAR
    partitions.make(LEVELS[1], old, old)
    assert at_once([partitions.keep] * 4) == [None] * 4
    assert not holds(LEVELS[1], old)


def test_a_reader_makes_dropping_wait_for_the_next_round() -> None:
    level, old = LEVELS[1], timezone.now() - YEAR
    partitions.make(level, old, old)
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {level.table}")  # noqa: S608
            reading.set()
            done.wait(120)
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(60)
    partitions.keep()
    assert holds(level, old)
    done.set()
    reader.join()
    partitions.keep()
    assert not holds(level, old)
