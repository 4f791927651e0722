"""Raw process tables move into chunks, and none is lost or told twice on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from servers import compaction, history, partitions, past
from servers.chunks import write
from servers.history import HOUR
from servers.models import Newest, Server
from servers.wire import Proc
from tests.servers.samples import minute_of, proc, raw_rows, store
from tests.servers.test_ingest_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_empty_history")]
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
THIS = timezone.now().replace(minute=0, second=0, microsecond=0)
PAST = THIS - 3 * HOUR
NOW = PAST + HOUR + 6 * MINUTE
Told = list[tuple[datetime, list[Proc]]]


@pytest.fixture
def _empty_history() -> Iterator[None]:
    """These tables are no models', so nobody else empties them."""
    compaction._put_off.clear()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {history.PROCESSES}, {history.CHUNKS}, {history.HOST_READINGS}, servers_latehour")


def reported(server: Server, start: datetime = PAST, minutes: int = 2) -> Told:
    """What a server told at its time, minute by minute."""
    told = []
    for minute in range(minutes):
        for number, procs in enumerate(minute_of(minute)):
            at = start + minute * MINUTE + number * 10 * SECOND
            store(server, at, procs)
            told.append((at, procs))
    return told


def known(server: Server, start: datetime = PAST, end: datetime = THIS + HOUR) -> Told:
    """What the past says a server told."""
    return [(snapshot.sampled_at, snapshot.procs) for snapshot in past.tables(server.pk, start, end)]


def chunks() -> list[tuple[int, datetime, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT server_id, hour, samples, process_samples FROM servers_processchunk ORDER BY 1, 2")
        return list(cursor.fetchall())


def compact(server: Server, hour: datetime = PAST, now: datetime = NOW) -> int:
    partitions.make(history.LEVELS[history.CHUNKS], hour, hour)
    return compaction.compact_hour(server.pk, hour, now)


def test_reports_are_stored_as_changes_of_the_ones_before_and_read_back(web1: Server) -> None:
    told = reported(web1, PAST + 11 * MINUTE)
    assert [change for _at, change in raw_rows(web1)] == [False, *[True] * 5, False, *[True] * 5]  # a new chain at :12
    assert known(web1) == told


def test_an_hour_becomes_one_chunk_and_leaves_the_raw_table(web1: Server, web2: Server) -> None:
    told = reported(web1)
    others = reported(web2, minutes=1)
    assert compact(web1) == 12
    assert chunks() == [(web1.pk, PAST, 12, 60)]
    assert raw_rows(web1) == []
    assert (known(web1), known(web2)) == (told, others)


def test_a_second_run_does_nothing(web1: Server) -> None:
    reported(web1, minutes=1)
    assert [compact(web1), compact(web1)] == [6, 0]
    assert len(chunks()) == 1


def test_the_step_takes_hours_that_are_over_and_not_the_one_that_is(web1: Server, web2: Server) -> None:
    this = timezone.now().replace(minute=0, second=0, microsecond=0)  # not THIS: another hour may have begun since
    told = reported(web1) + reported(web1, this)
    others = reported(web2)
    for _ in range(4):  # as often as the worker would: each run ends after its time
        compaction.compact()
    assert [(server, hour) for server, hour, *_ in chunks()] == [(web1.pk, PAST), (web2.pk, PAST)]
    assert len(raw_rows(web1)) == 12
    assert (known(web1, end=this + HOUR), known(web2)) == (told, others)


def test_after_days_off_it_catches_up_oldest_first(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step begins no second hour when its time is over; the next one goes on from there."""
    hours = [THIS - 50 * HOUR, THIS - 26 * HOUR, THIS - 25 * HOUR, PAST]
    told = [one for hour in hours for one in reported(web1, hour, minutes=1)]
    monkeypatch.setattr(compaction, "BATCH_SEC", 0.0)
    for done in range(len(hours) + 1):
        assert [hour for _server, hour, *_ in chunks()] == hours[:done]
        assert known(web1, hours[0]) == told
        compaction.compact()
    assert raw_rows(web1) == []
    partitions.keep()
    assert not any(raw_partition(hour) for hour in hours)
    assert known(web1, hours[0]) == told


def test_what_comes_late_goes_into_the_chunk_that_is_there(web1: Server) -> None:
    told = reported(web1)
    compact(web1)
    late = (PAST + 30 * SECOND + 3 * SECOND, [proc(77)])
    assert store(web1, late[0], late[1], THIS) == "late"
    assert known(web1) == sorted([*told, late])
    assert compact(web1) == 1
    assert raw_rows(web1) == []
    assert chunks() == [(web1.pk, PAST, 13, 61)]
    assert known(web1) == sorted([*told, late])


def test_a_chunk_just_written_is_left_alone_for_a_while(web1: Server) -> None:
    reported(web1)
    compact(web1)
    store(web1, PAST + 3 * SECOND, [proc(77)], THIS)
    assert compaction._waiting(PAST, NOW + MINUTE) == []
    assert compaction._waiting(PAST, NOW + compaction.AGAIN + SECOND) == [web1.pk]


def test_a_report_after_its_hour_was_compacted_builds_on_nothing_taken_away(web1: Server) -> None:
    """An agent catches up: its newest report is of an hour that is long over."""
    told = reported(web1, minutes=1)
    compact(web1)
    assert Newest.objects.get(server=web1).raw_ts is None
    for second in (1, 2):
        told.append((PAST + MINUTE + second * SECOND, [proc(pid) for pid in range(second, 40)]))
        store(web1, *told[-1])
    assert [change for _at, change in raw_rows(web1)] == [False, True]
    assert known(web1) == told
    compact(web1)
    assert known(web1) == told


def test_a_report_that_builds_on_a_row_being_taken_makes_it_start_over(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = reported(web1, minutes=1)
    encode, times = write.encode, []

    def slow(chunk: compaction._Counted) -> bytes:
        samples = list(chunk)
        times.append(len(samples))
        if len(times) == 1:
            told.append((PAST + MINUTE, [proc(pid, cpu=3.0) for pid in range(5, 10)]))
            at_once([partial(store, web1, *told[-1])])
        return encode(samples)

    monkeypatch.setattr(compaction, "encode", slow)
    assert compact(web1) == 7
    assert times == [6, 7]
    assert raw_rows(web1) == []
    assert known(web1) == told


@pytest.mark.parametrize("step", ["_mine", "_chunk_of", "encode", "_lock_newest", "_take", "_write"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_ended_at_any_point_nothing_is_lost_or_doubled(
    web1: Server, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    told = reported(web1, minutes=1)
    compact(web1)
    told += reported(web1, PAST + 5 * MINUTE, minutes=1)
    before, real = (raw_rows(web1), chunks()), getattr(compaction, step)

    def dying(*arguments: object) -> object:
        if when == "after":
            real(*arguments)
        raise KeyboardInterrupt  # no handler of ours takes it, as none outlives a kill

    with monkeypatch.context() as patch:
        patch.setattr(compaction, step, dying)
        with pytest.raises(KeyboardInterrupt):
            compact(web1)
    assert (raw_rows(web1), chunks()) == before
    assert known(web1) == told
    assert compact(web1) == 6
    assert known(web1) == told


def test_two_workers_at_once_move_each_table_once(web1: Server, web2: Server) -> None:
    told, others = reported(web1), reported(web2)
    racers: list[Callable[[], int]] = [partial(compact, server) for server in (web1, web2) * 3]
    outcomes = at_once(racers)
    assert sorted(map(str, outcomes)) == sorted(map(str, [12, 12, 0, 0, 0, 0]))
    assert (known(web1), known(web2)) == (told, others)


def test_reports_that_come_in_while_two_workers_compact_are_all_kept(web1: Server) -> None:
    told = reported(web1)
    late = [(PAST + 30 * MINUTE + number * SECOND, [proc(number)]) for number in range(12)]

    def catch_up() -> int:
        for at, procs in late:
            store(web1, at, procs)
        return 0

    def work() -> int:
        return sum(compact(web1) for _ in range(6))

    outcomes = at_once([work, work, catch_up])
    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    compact(web1)
    assert raw_rows(web1) == []
    assert known(web1) == sorted(told + late)


def test_what_cannot_be_read_stays_and_the_others_have_their_turn(web1: Server, web2: Server) -> None:
    reported(web1, minutes=1)
    others = reported(web2, minutes=1)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {history.PROCESSES} WHERE server_id = %s AND sampled_at = %s", [web1.pk, PAST])  # noqa: S608
    for _ in range(3):
        compaction.compact()
    assert len(raw_rows(web1)) == 5
    assert known(web2) == others
    assert raw_rows(web2) == []


def test_a_chunk_that_cannot_be_read_is_not_written_over(web1: Server) -> None:
    reported(web1, minutes=1)
    compact(web1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_processchunk SET data = '\\x0900'")
    store(web1, PAST + 3 * SECOND, [proc(77)], THIS)
    with pytest.raises(ValueError, match="unknown version"):
        compact(web1)
    assert len(raw_rows(web1)) == 1


def raw_partition(hour: datetime = PAST) -> bool:
    return hour in partitions.starts(history.LEVELS[history.PROCESSES])


def test_a_raw_partition_is_dropped_once_it_is_empty_and_not_before(web1: Server) -> None:
    told = reported(web1, minutes=1)
    partitions.keep()
    assert raw_partition()
    compact(web1)
    partitions.keep()
    assert not raw_partition()
    assert known(web1) == told
    store(web1, PAST + 3 * SECOND, [proc(77)], THIS)  # makes it again
    partitions.keep()
    assert raw_partition()
    assert len(known(web1)) == 7


def test_a_sample_that_comes_in_while_its_partition_is_dropped_is_kept(web1: Server) -> None:
    reported(web1, minutes=1)
    compact(web1)
    stored, seen = threading.Event(), threading.Event()

    def report() -> None:
        with transaction.atomic():
            store(web1, PAST + 3 * SECOND, [proc(77)], THIS)
            stored.set()
            seen.wait(0.3)
        connection.close()

    reporter = threading.Thread(target=report)
    reporter.start()
    assert stored.wait(10)
    level = history.LEVELS[history.PROCESSES]
    assert partitions._is_empty(partitions.name_of(level, PAST))  # as far as can be seen from here
    partitions._drop(level, partitions.name_of(level, PAST))
    seen.set()
    reporter.join()
    assert len(known(web1)) == 7
