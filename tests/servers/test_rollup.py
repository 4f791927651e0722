"""Host readings by the minute and by the hour, of what came in time and of what came late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from servers import history, partitions, rollup
from servers.history import HOUR
from servers.models import Server
from tests.servers import rolledup
from tests.servers.samples import proc, store
from tests.servers.test_ingest_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_empty_history")]
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
PAST = rolledup.done()


@pytest.fixture
def _empty_history() -> Iterator[None]:
    """Nothing rolled up before PAST's hour; these tables are no models', so nobody else empties them."""
    with rolledup.nothing_before(PAST):
        yield


def reading(server: Server, at: datetime, cpu: float | None, late: bool = False) -> None:
    store(server, at, [proc()], timezone.now() if late else None, cpu)


def rolled(table: str, server: Server, name: str = "cpu") -> list[tuple[Any, ...]]:
    """Of each row: minutes after PAST; average, least, most, count; samples."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT at, {name}_avg, {name}_min, {name}_max, {name}_n, samples FROM {table}"  # noqa: S608
            " WHERE server_id = %s ORDER BY 1",
            [server.pk],
        )
        return [((at - PAST) / MINUTE, *values) for at, *values in cursor.fetchall()]


def work() -> None:
    """As often as a worker would in half a minute."""
    for _ in range(3):
        rollup.roll_up()


def test_minutes_and_hours_have_average_least_most_and_count(web1: Server, web2: Server) -> None:
    for second, cpu in [(0, 10), (10, 20), (50, 60), (60, 5), (3540, 8)]:
        reading(web1, PAST + second * SECOND, cpu)
    reading(web1, PAST + 20 * SECOND, None)
    reading(web2, PAST, 99)
    work()
    assert rolled(history.HOST_MINUTES, web1) == [(0, 30, 10, 60, 3, 4), (1, 5, 5, 5, 1, 1), (59, 8, 8, 8, 1, 1)]
    assert rolled(history.HOST_HOURS, web1) == [(0, pytest.approx(103 / 5), 5, 60, 5, 6)]
    assert rolled(history.HOST_HOURS, web1, "swap_used_mb") == [(0, None, None, None, 0, 6)]
    assert rolled(history.HOST_HOURS, web2) == [(0, 99, 99, 99, 1, 1)]


def test_days_are_made_of_hours_and_again_where_one_was_late(web1: Server) -> None:
    day = rollup._floor(PAST, timedelta(days=1)) - timedelta(days=1)
    for level in rollup.WIDTHS:
        rolledup.until(level, day)
    partitions.make(history.LEVELS[history.HOST_READINGS], day, PAST)
    for hour, cpu in [(0, 10), (1, 20), (23, 60)]:
        reading(web1, day + hour * HOUR, cpu)
    for _ in range(3):
        work()
    at = (day - PAST) / MINUTE
    assert rolled(history.HOST_DAYS, web1) == [(at, 30, 10, 60, 3, 3)]
    assert history.rolled_up_until(history.HOST_DAYS) >= day + timedelta(days=1)
    reading(web1, day + 2 * HOUR, 90, late=True)
    work()
    assert rolled(history.HOST_DAYS, web1) == [(at, 45, 10, 90, 4, 4)]


def test_it_goes_up_to_what_is_surely_over_and_no_further(web1: Server) -> None:
    now = timezone.now()
    reading(web1, now - rollup.GRACE - 11 * MINUTE, 4)
    reading(web1, now - SECOND, 5)
    work()
    assert len(rolled(history.HOST_MINUTES, web1)) == 1
    minutes, hours = map(history.rolled_up_until, (history.HOST_MINUTES, history.HOST_HOURS))
    assert now - rollup.GRACE - 10 * MINUTE < minutes <= timezone.now() - rollup.GRACE
    assert PAST + 4 * HOUR <= hours <= minutes
    assert (minutes.minute % 10, hours.hour % 4) == (0, 0)  # what is written together lies together


def test_a_sample_that_comes_late_is_counted_in(web1: Server, web2: Server) -> None:
    reading(web1, PAST, 10)
    reading(web2, PAST, 10)
    work()
    reading(web1, PAST + 30 * SECOND, 20, late=True)
    reading(web1, PAST + 90 * SECOND, 90, late=True)
    work()
    assert rolled(history.HOST_MINUTES, web1) == [(0, 15, 10, 20, 2, 2), (1, 90, 90, 90, 1, 1)]
    assert rolled(history.HOST_HOURS, web1) == [(0, 40, 10, 90, 3, 3)]
    assert rolled(history.HOST_MINUTES, web2) == [(0, 10, 10, 10, 1, 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM servers_latehour")
        assert cursor.fetchone() == (0,)


def test_a_late_sample_whose_others_are_gone_does_not_take_their_place(web1: Server) -> None:
    for second in (0, 10, 20):
        reading(web1, PAST + second * SECOND, 10)
    work()
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {history.HOST_READINGS}")
    reading(web1, PAST + 30 * SECOND, 99, late=True)
    work()
    assert rolled(history.HOST_MINUTES, web1) == [(0, 10, 10, 10, 3, 3)]


def test_two_workers_at_once_and_a_second_run_count_once(web1: Server) -> None:
    for minute in range(120):
        reading(web1, PAST + minute * MINUTE, 10)
    assert at_once([work] * 4) == [None] * 4
    work()
    assert [samples for *_, samples in rolled(history.HOST_HOURS, web1)] == [60, 60]
    assert len(rolled(history.HOST_MINUTES, web1)) == 120


def test_ended_in_the_middle_it_goes_on_where_it_was(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reading(web1, PAST, 10)
    roll, calls = rollup._roll, []

    def dying(level: str, *arguments: object) -> None:
        roll(level, *arguments)  # type: ignore[arg-type]
        calls.append(level)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rollup, "_roll", dying)
        with pytest.raises(KeyboardInterrupt):
            rollup.roll_up()
    assert calls == [history.HOST_MINUTES]
    assert rolled(history.HOST_MINUTES, web1) == []
    assert history.rolled_up_until(history.HOST_MINUTES) == PAST
    work()
    assert len(rolled(history.HOST_MINUTES, web1)) == 1


def test_after_days_off_it_catches_up_a_batch_at_a_time(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = PAST - timedelta(days=2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_rolledup SET until = %s", [begin])
    reading(web1, begin, 10)
    monkeypatch.setattr(rollup, "BATCH_SEC", 0.0)
    rollup.roll_up()
    assert history.rolled_up_until(history.HOST_MINUTES) == begin + rollup.BATCHES[history.HOST_MINUTES]
    monkeypatch.undo()
    for _ in range(60):
        rollup.roll_up()
    assert history.rolled_up_until(history.HOST_HOURS) >= PAST + 4 * HOUR
    assert len(rolled(history.HOST_HOURS, web1)) == 1


def test_the_first_run_begins_with_the_oldest_raw_readings(web1: Server) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM servers_rolledup")
    assert rollup._begin(history.HOST_MINUTES) == partitions.starts(history.LEVELS[history.HOST_READINGS])[0]


def test_raw_readings_are_not_dropped_before_they_are_rolled_up() -> None:
    level = history.LEVELS[history.HOST_READINGS]
    old = timezone.now() - level.kept - 3 * level.width
    partitions.make(level, old, old)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_rolledup SET until = %s", [old])
    partitions.keep()
    assert partitions.starts(level)[0] <= old
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_rolledup SET until = %s", [PAST])
    partitions.keep()
    assert partitions.starts(level)[0] > old
