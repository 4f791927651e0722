"""What pages read of the past."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from servers import compaction, history, partitions, past, rollup
from servers.chunks.read import Chunk
from servers.history import HOUR
from servers.models import Server
from servers.wire import Proc
from tests.servers import rolledup
from tests.servers.samples import minute_of, proc, store

pytestmark = pytest.mark.django_db
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
THIS = timezone.now().replace(minute=0, second=0, microsecond=0)
PAST = THIS - 3 * HOUR
Told = dict[datetime, list[Proc]]


@pytest.fixture
def told(web1: Server, web2: Server) -> Told:
    """Two hours of web1, a minute at the end of the one and at the beginning of the other; the first is compacted."""
    told: Told = {}
    for start in (PAST + 59 * MINUTE, PAST + HOUR):
        for number, procs in enumerate(minute_of(start.minute)):
            told[start + 10 * number * SECOND] = procs
    for at, procs in told.items():
        store(web1, at, procs)
    store(web2, PAST + HOUR, [proc(99)])
    partitions.make(history.LEVELS[history.CHUNKS], PAST, PAST)
    assert compaction.compact_hour(web1.pk, PAST, THIS) == 6
    return told


def test_a_moments_table_is_the_last_one_at_or_before_it(web1: Server, web2: Server, told: Told) -> None:
    for at in told:
        for seconds in (0, 9):
            found = past.table(web1.pk, at + seconds * SECOND)
            assert found is not None
            assert (found.sampled_at, found.procs, found.procs_total) == (at, told[at], 5)
            assert found.ts == at.timestamp()
    assert past.table(web1.pk, min(told) - SECOND) is None
    other = past.table(web2.pk, max(told))
    assert other is not None
    assert other.procs == [proc(99)]


@pytest.mark.parametrize("which", [min, max])
def test_an_older_table_does_not_tell_how_it_was(web1: Server, told: Told, which: type) -> None:
    """In a chunk, and in a raw row."""
    compacted, raw = PAST + 59 * MINUTE + 50 * SECOND, PAST + HOUR + 50 * SECOND
    at = which(compacted, raw)
    if at == compacted:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {history.PROCESSES}")
    assert past.table(web1.pk, at + past.WITHIN - SECOND) is not None
    assert past.table(web1.pk, at + past.WITHIN) is None


def test_many_servers_tables_in_two_queries(
    web1: Server, web2: Server, told: Told, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        found = past.tables_at([web1.pk, web2.pk], PAST + HOUR + 5 * SECOND)
    assert {server: table.procs for server, table in found.items()} == {
        web1.pk: told[PAST + HOUR],
        web2.pk: [proc(99)],
    }
    assert past.tables_at([], THIS) == {}


def test_all_tables_of_a_stretch_come_in_their_order(web1: Server, told: Told) -> None:
    def between(start: datetime, end: datetime) -> Told:
        return {snapshot.sampled_at: snapshot.procs for snapshot in past.tables(web1.pk, start, end)}

    assert list(between(PAST, THIS).items()) == list(told.items())
    first, last = PAST + 59 * MINUTE + 20 * SECOND, PAST + HOUR + 20 * SECOND
    assert between(first, last) == {at: procs for at, procs in told.items() if first <= at < last}
    assert between(THIS, THIS + HOUR) == {}


def test_beside_a_moments_table_are_the_samples_before_and_after(web1: Server, told: Told) -> None:
    times = [None, *told, None]
    for before, at, after in zip(times, told, times[2:], strict=False):
        for moment in (at, at + 9 * SECOND):
            found = past.around(web1.pk, moment)
            assert found.table == past.table(web1.pk, moment)
            assert (found.table and found.table.sampled_at, found.before, found.after) == (at, before, after)


def test_beside_a_moment_without_a_table_are_the_nearest_samples(web1: Server, web2: Server, told: Told) -> None:
    assert past.around(web1.pk, PAST - HOUR) == past.Around(None, None, min(told))
    assert past.around(web1.pk, THIS) == past.Around(None, max(told), None)
    assert past.around(web1.pk + 1000, PAST) == past.Around(None, None, None)
    store(web1, THIS, [proc(1)])
    assert past.around(web1.pk, THIS - SECOND) == past.Around(None, max(told), THIS)


def test_what_came_late_into_a_compacted_hour_is_met_between_its_samples(web1: Server, told: Told) -> None:
    """A raw row among those of a chunk, and one before all of them."""
    late, early = PAST + 59 * MINUTE + 15 * SECOND, PAST + 58 * MINUTE
    for at in (late, early):
        store(web1, at, [proc(7)], THIS)
    found = past.around(web1.pk, late + SECOND)
    assert found.table is not None
    assert (found.table.sampled_at, found.table.procs) == (late, [proc(7)])
    assert (found.before, found.after) == (late - 5 * SECOND, late + 5 * SECOND)
    assert past.around(web1.pk, late - SECOND).after == late
    assert past.around(web1.pk, min(told)).before == early


def test_what_is_beside_a_moment_takes_three_queries_and_one_chunk(
    web1: Server, told: Told, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(data: bytes) -> Chunk:
        read.append(len(data))
        return Chunk(data)

    monkeypatch.setattr(past, "Chunk", counted)
    with django_assert_num_queries(3):
        past.around(web1.pk, PAST + 59 * MINUTE + 20 * SECOND)
    assert len(read) == 1


def test_a_line_goes_on_from_chunk_to_raw(web1: Server, told: Told) -> None:
    pid, ticks = 62, 99  # there in both minutes, for some of their samples
    wanted = [
        (at, one.cpu, one.mem_mb)
        for at, procs in told.items()
        for one in procs
        if (one.pid, one.start_ticks) == (pid, ticks)
    ]
    assert past.line(web1.pk, pid, ticks, PAST, THIS) == wanted
    start = wanted[0][0] + SECOND
    assert past.line(web1.pk, pid, ticks, start, THIS) == wanted[1:]
    assert past.line(web1.pk, pid, 1, PAST, THIS) == []


def partitions_read(query: str, parameters: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}", parameters)
        return set(re.findall(r"\d{10}\b", " ".join(line for (line,) in cursor.fetchall())))


def test_a_moment_is_looked_for_in_its_own_partitions_only(web1: Server, told: Told) -> None:
    partitions.make(history.LEVELS[history.PROCESSES], THIS - 24 * HOUR, THIS)
    partitions.make(history.LEVELS[history.CHUNKS], THIS - 24 * 30 * HOUR, THIS)
    oldest = PAST - past.WITHIN
    assert len(partitions_read(past.RAW_AT, [[web1.pk], oldest, PAST])) == 2
    assert 1 <= len(partitions_read(past.CHUNKS_AT, [[web1.pk], oldest - HOUR, PAST, PAST, oldest])) <= 2


@pytest.fixture
def _rolled_up(web1: Server) -> None:
    """Readings of three hours: the first two rolled up to the hour, the third to the half."""
    start = THIS - 3 * HOUR
    for minute in range(180):
        if not 30 <= minute < 60:
            store(web1, start + minute * MINUTE, [], cpu=minute % 60)
            store(web1, start + minute * MINUTE + SECOND, [], cpu=minute % 60 + 2)
    for level, until in ((history.HOST_MINUTES, THIS - HOUR / 2), (history.HOST_HOURS, THIS - HOUR)):
        partitions.make(history.LEVELS[level], start, THIS)
        rollup._roll(level, start, until)
        rolledup.until(level, until)


@pytest.mark.usefixtures("_rolled_up")
@pytest.mark.parametrize("raw_there", [True, False])
def test_readings_of_any_step_leave_gaps_and_keep_the_ends(web1: Server, raw_there: bool) -> None:
    start = THIS - 3 * HOUR
    if not raw_there:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {history.HOST_READINGS} WHERE sampled_at < %s", [THIS - HOUR / 2])  # noqa: S608
    found = past.readings(web1.pk, start, THIS, 181, ["cpu", "mem", "load15"])
    assert found.step == 60
    assert [(point.t - start) / MINUTE for point in found.series["cpu"]] == [*range(30), *range(60, 180)]
    minute = found.series["cpu"][-1]
    assert (minute.avg, minute.min, minute.max) == (60, 59, 61)
    assert {(point.avg, point.min, point.max) for point in found.series["mem"]} == {(50, 50, 50)}
    assert found.series["load15"] == []


@pytest.mark.usefixtures("_rolled_up")
def test_hours_are_answered_by_hours_minutes_and_raw_readings_together(web1: Server) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {history.HOST_READINGS} WHERE sampled_at < %s", [THIS - HOUR / 2])  # noqa: S608
        cursor.execute(f"DELETE FROM {history.HOST_MINUTES} WHERE at < %s", [THIS - HOUR])  # noqa: S608
    found = past.readings(web1.pk, THIS - 3 * HOUR, THIS, 4, ["cpu"])
    assert found.step == 3600
    assert [point.avg for point in found.series["cpu"]] == pytest.approx([15.5, 30.5, 30.5])
    assert [(point.min, point.max) for point in found.series["cpu"]] == [(0, 31), (0, 61), (0, 61)]


def test_days_are_answered_by_days_and_the_newest_by_hours(web1: Server) -> None:
    day = timedelta(days=1)
    start = THIS.replace(hour=0) - 3 * day
    partitions.make(history.LEVELS[history.HOST_READINGS], start, THIS)
    for number in range(12):
        store(web1, start + number * 6 * HOUR, [], cpu=number)
    ends = dict.fromkeys(rollup.SOURCES, start + 3 * day) | {history.HOST_DAYS: start + 2 * day}
    for level, until in ends.items():
        partitions.make(history.LEVELS[level], start, THIS)
        rollup._roll(level, start, until)
        rolledup.until(level, until)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {history.HOST_READINGS}, {history.HOST_MINUTES}")
        cursor.execute(f"DELETE FROM {history.HOST_HOURS} WHERE at < %s", [start + 2 * day])  # noqa: S608
    found = past.readings(web1.pk, start, start + 3 * day, 4, ["cpu"])
    assert found.step == 86_400
    assert [(point.t, point.avg, point.min, point.max) for point in found.series["cpu"]] == [
        (start, 1.5, 0, 3),
        (start + day, 5.5, 4, 7),
        (start + 2 * day, 9.5, 8, 11),
    ]


@pytest.mark.parametrize("metric", history.METRICS)
def test_every_metric_can_be_read_at_every_level(web1: Server, metric: str) -> None:
    for days in (0.1, 20, 500):
        assert list(past.readings(web1.pk, THIS - timedelta(days=days), THIS, 300, [metric]).series) == [metric]


def test_readings_take_one_query_and_the_levels_ends(
    web1: Server, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(2):
        past.readings(web1.pk, THIS - timedelta(days=500), THIS, 300)


def test_fine_steps_are_answered_by_raw_readings(web1: Server) -> None:
    for number in range(6):
        store(web1, THIS - MINUTE + 10 * number * SECOND, [], cpu=number)
    found = past.readings(web1.pk, THIS - MINUTE, THIS, 10, ["cpu"])
    assert (found.step, [point.avg for point in found.series["cpu"]]) == (10, [0, 1, 2, 3, 4, 5])
