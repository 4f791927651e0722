"""When processes were there and what they used is what tables tell, raw and compacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from servers import compaction, ingest, past, process_runs
from servers.chunks.samples import moment_of
from servers.history import HOUR
from servers.models import Server
from servers.process_runs import CPU, MEMORY, Wanted
from servers.wire import Load, Proc, Report
from tests.servers.samples import proc

pytestmark = pytest.mark.django_db
STEP = timedelta(seconds=10)
START = timezone.now().replace(minute=55, second=0, microsecond=0) - 3 * HOUR
Told = dict[datetime, list[tuple[int, int | None, Any]]]  # by sample: pid, start ticks and value of each


def fits(name: str) -> bool:
    return name.startswith("ng")


def store(server: Server, at: datetime, procs: Sequence[Proc], more: int = 0) -> None:
    told = Report(server.agent_id, at.timestamp(), Load(), list(procs), procs_total=len(procs) + more)
    assert ingest.store(server, told, at).outcome == ingest.STORED


def compact(server: Server, hours: int) -> None:
    for number in range(hours):
        compaction.compact_hour(server.pk, START.replace(minute=0) + number * HOUR, timezone.now())


def read(server: Server, wanted: Wanted, start: datetime = START, end: datetime = START + HOUR) -> Told:
    found: Told = {}
    for hour in process_runs.hours(server.pk, wanted, start, end):
        samples: list[list[tuple[int, int | None, Any]]] = [[] for _ in hour.times]
        whos = hour.whos()
        for run in hour.runs():
            values = run.values if wanted.section else [None] * (run.last - run.first)
            for number, value in zip(range(run.first, run.last), values, strict=True):
                samples[number].append((*whos[run.row], value))
        found |= {moment_of(at): sorted(one, key=str) for at, one in zip(hour.times, samples, strict=True)}
    return found


def told(server: Server, section: int | None, start: datetime = START, end: datetime = START + HOUR) -> Told:
    value = {CPU: "cpu", MEMORY: "mem_mb", None: ""}[section]
    return {
        one.sampled_at: sorted(
            ((each.pid, each.start_ticks, getattr(each, value, None)) for each in one.procs if fits(each.name)), key=str
        )
        for one in past.tables(server.pk, start, end)
    }


def some_tables(chance: Random, count: int) -> list[list[Proc]]:
    """Processes that come and go and come again, some of them twice the same, not always in the order of pids."""
    pool = [
        proc(1 + number // 2, name=chance.choice(["nginx", "ng", "cron", "Ünï"]), start_ticks=chance.choice([None, 5]))
        for number in range(8)
    ]
    tables, there = [], list(pool)
    for _ in range(count):
        if chance.random() < 0.4:
            there = chance.choices(pool, k=chance.randrange(9))
        tables.append(
            [
                msgspec.structs.replace(one, cpu=chance.choice([None, 0.1, 33.3]), mem_mb=chance.choice([1.5, 2.25]))
                for one in there
            ]
        )
    return tables


@pytest.mark.parametrize("section", [None, CPU, MEMORY])
def test_it_is_what_tables_tell(web1: Server, section: int | None) -> None:
    wanted = Wanted("name", fits, section)
    for number, procs in enumerate(some_tables(Random(section), 60)):
        store(web1, START + number * STEP, procs)
    for hours in (0, 1, 2):
        compact(web1, hours)
        assert read(web1, wanted) == told(web1, section)
        cut = START + 7 * STEP, START + 41.5 * STEP
        assert read(web1, wanted, *cut) == told(web1, section, *cut) != {}


@pytest.mark.parametrize("hours", [0, 1])
def test_each_of_the_texts_is_looked_at(web1: Server, hours: int) -> None:
    store(web1, START, [proc(1, name="a", user="b", cmdline="c"), proc(2, name="b", user="c", cmdline="a")])
    compact(web1, hours)
    for field, pid in (("name", 1), ("user", None), ("cmdline", 2)):
        ((_at, found),) = read(web1, Wanted(field, "a".__eq__)).items()
        assert [one[0] for one in found] == ([pid] if pid else [])


@pytest.mark.parametrize("hours", [0, 1])
def test_how_much_at_most_and_how_many_are_left_out(web1: Server, hours: int) -> None:
    for number, (cpu, more) in enumerate([(None, 0), (3.5, 2), (40.0, 0), (7.0, 1)]):
        store(web1, START + number * STEP, [proc(1, cpu=cpu), proc(2, cpu=5.0), proc(3, cpu=None, name="cron")], more)
    compact(web1, hours)
    (hour,) = process_runs.hours(web1.pk, Wanted("name", fits, CPU), START, START + HOUR)
    assert sorted(hour.most(), key=str) == [40.0, 5.0]
    assert hour.left_out() == [0, 2, 0, 1]
    (hour,) = process_runs.hours(web1.pk, Wanted("name", "cron".__eq__, CPU), START + STEP, START + 3 * STEP)
    assert hour.most() == [None]
    assert hour.left_out() == [2, 0]


def test_what_came_late_stands_in_the_order_of_its_time(web1: Server) -> None:
    for number in (0, 2, 4):
        store(web1, START + number * STEP, [proc(number + 1)])
    compact(web1, 1)
    for number in (1, 5):
        store(web1, START + number * STEP, [proc(number + 1), proc(77, name="cron")])
    found = read(web1, Wanted("name", fits, CPU))
    assert list(found) == [START + number * STEP for number in (0, 1, 2, 4, 5)]
    assert found == told(web1, CPU)


def test_what_is_compacted_in_between_is_met_once(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw rows are read first: those that have moved since count once."""
    for number in range(4):
        store(web1, START + number * STEP, [proc(1, cpu=1.0)])
    before, raw = told(web1, CPU), process_runs._raw

    def and_then(server_id: int, start: datetime, end: datetime) -> Any:
        found = raw(server_id, start, end)
        compact(web1, 1)
        return found

    monkeypatch.setattr(process_runs, "_raw", and_then)
    assert read(web1, Wanted("name", fits, CPU)) == before


def test_a_chunk_that_is_written_anew_in_between_is_read_anew(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        store(web1, START + number * STEP, [proc(1, cpu=1.0)])
    compact(web1, 1)
    complete = process_runs._complete

    def first_written_anew(*asked: Any) -> None:
        store(web1, START + 1.5 * STEP, [proc(2, cpu=2.0), proc(3, name="cron")])
        compact(web1, 1)
        complete(*asked)

    monkeypatch.setattr(process_runs, "_complete", first_written_anew)
    found = read(web1, Wanted("name", fits, CPU))
    assert len(found) == 5
    assert found == told(web1, CPU)


@pytest.mark.parametrize("step", ["_chunks", "_complete"])
def test_a_chunk_that_is_gone_in_between_is_left_out(web1: Server, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    store(web1, START, [proc(1)])
    compact(web1, 1)
    after = getattr(process_runs, step)

    def first_dropped(*asked: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM servers_processchunk")
        return after(*asked)

    monkeypatch.setattr(process_runs, step, first_dropped)
    assert read(web1, Wanted("name", fits, CPU)) == {}
