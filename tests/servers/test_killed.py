"""Workers are killed (kill -9) while they move the past about; what an agent sent is what the past tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from servers import compaction, history, partitions, past
from servers.history import HOUR
from servers.models import Server
from servers.wire import Proc
from tests.actions.web_process import ROOT, database_url, sessions
from tests.servers.killed import HALFWAY, SEED
from tests.servers.samples import proc, quarter, raw_rows, store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_empty_history")]
PAST = timezone.now().replace(minute=0, second=0, microsecond=0) - 3 * HOUR
SECOND = timedelta(seconds=1)
Sent = dict[datetime, list[Proc]]


@pytest.fixture
def _empty_history() -> Iterator[None]:
    """These tables are no models', so nobody else empties them."""
    tables = [history.PROCESSES, history.CHUNKS, history.HOST_READINGS, "servers_latehour", "servers_rolledup"]
    for when in ("before", "after"):
        compaction._put_off.clear()
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        if when == "before":
            yield


def sent(server: Server, seed: int, start: datetime = PAST) -> Sent:
    """A quarter of an hour that came in time."""
    times = quarter(seed, start)
    for at, procs in times.items():
        store(server, at, procs)
    return times


def told(server: Server, times: Sent) -> Sent:
    """What the past tells of the server: all of it, and moment by moment."""
    found = list(past.tables(server.pk, PAST - HOUR, PAST + 3 * HOUR))
    by_time = {snapshot.sampled_at: snapshot.procs for snapshot in found}
    assert len(found) == len(by_time)
    for at in times:
        snapshot = past.table(server.pk, at)
        assert snapshot is not None
        assert (snapshot.sampled_at, snapshot.procs) == (at, by_time[at])
    return by_time


def kept(server: Server) -> int:
    """In how many places its samples are: one that is in two of them counts twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(samples), 0) FROM servers_processchunk WHERE server_id = %s", [server.pk])
        return int(cursor.fetchone()[0]) + len(raw_rows(server))


def environ() -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url()}


def kill(step: str, when: str, point: str, *more: str) -> None:
    """Have a process of its own killed there, and wait until the database has seen that it is gone."""
    there = sessions()
    argv = [sys.executable, "-m", "tests.servers.killed", step, when, point, *more]
    worker = subprocess.run(argv, cwd=ROOT, env=environ(), capture_output=True, timeout=300, check=False)
    assert worker.returncode == -signal.SIGKILL, worker.stderr.decode()
    deadline = time.monotonic() + 20
    while sessions() > there and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("when", "point"),
    [
        ("amid", "encoded"), ("after", "locked"), ("after", "taken"), ("after", "written"), ("before", "committed"),
        ("after", "committed"),
    ],
)  # fmt: skip
def test_killed_while_compacting_nothing_is_lost_or_doubled(web1: Server, web2: Server, when: str, point: str) -> None:
    agents = {web1: sent(web1, 1), web2: sent(web2, 2)}
    kill("compact", when, point)
    for server, times in agents.items():
        assert told(server, times) == times
        assert kept(server) == len(times)
    late = PAST + 7 * SECOND / 2
    agents[web1][late] = [proc(7)]
    store(web1, late, [proc(7)], timezone.now())
    for _ in range(4):
        compaction.compact_hour(web1.pk, PAST, timezone.now())
        compaction.compact()
    for server, times in agents.items():
        assert raw_rows(server) == []
        assert told(server, times) == dict(sorted(times.items()))
        assert kept(server) == len(times)


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_a_raw_partition_is_dropped_nothing_is_lost(web1: Server, when: str) -> None:
    times = sent(web1, 3) | sent(web1, 4, PAST + HOUR)
    for _ in range(2):
        partitions.make(history.LEVELS[history.CHUNKS], PAST, PAST)
        compaction.compact_hour(web1.pk, PAST, timezone.now())
    kill("keep", when, "dropped")
    assert told(web1, times) == times
    partitions.keep()
    assert PAST not in partitions.starts(history.LEVELS[history.PROCESSES])
    assert PAST + HOUR in partitions.starts(history.LEVELS[history.PROCESSES])
    assert told(web1, times) == times


@pytest.mark.parametrize(
    ("when", "point"), [("before", "stored"), ("after", "stored"), ("before", "committed"), ("after", "committed")]
)
def test_killed_while_an_agent_catches_up_its_reports_are_there_once(web1: Server, when: str, point: str) -> None:
    """They reach the hour they are of, which is compacted; the agent sends again what it has no answer for."""
    times = sent(web1, 5)
    partitions.make(history.LEVELS[history.CHUNKS], PAST, PAST)
    assert compaction.compact_hour(web1.pk, PAST, timezone.now()) == len(times)
    store(web1, timezone.now() - SECOND, [proc(1)])
    late = quarter(SEED, PAST)
    kill("backfill", when, point, PAST.isoformat())
    answered = dict(list(late.items())[:HALFWAY])
    found = told(web1, {**times, **answered})
    assert {at: found[at] for at in answered} == answered
    ended = [store(web1, at, procs, timezone.now()) for at, procs in list(late.items())[HALFWAY:]]
    assert ended[0] == ("duplicate" if (when, point) == ("after", "committed") else "late")
    assert set(ended[1:]) == {"late"}
    times |= late
    assert kept(web1) == readings_kept(web1) == len(times) + 1  # and the one of now
    assert told(web1, times) == dict(sorted(times.items()))
    assert compaction.compact_hour(web1.pk, PAST, timezone.now()) == len(late)
    assert kept(web1) == len(times) + 1
    assert told(web1, times) == dict(sorted(times.items()))


def readings_kept(server: Server) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {history.HOST_READINGS} WHERE server_id = %s", [server.pk])  # noqa: S608
        return int(cursor.fetchone()[0])


def ready() -> subprocess.Popen[bytes]:
    """A worker that begins to compact when it is told a line."""
    argv = [sys.executable, "-m", "tests.servers.killed", "compact", "never", "encoded"]
    pipe = subprocess.PIPE
    worker = subprocess.Popen(argv, cwd=ROOT, env=environ(), stdin=pipe, stdout=pipe, stderr=pipe)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    return worker


def test_two_workers_that_begin_together_move_each_sample_once(web1: Server, web2: Server) -> None:
    agents = {web1: sent(web1, 1) | sent(web1, 2, PAST + HOUR), web2: sent(web2, 3) | sent(web2, 4, PAST + HOUR)}
    workers = [ready() for _ in range(2)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")
        worker.stdin.flush()
    for worker in workers:
        _out, said = worker.communicate(timeout=300)
        assert (worker.returncode, b"exception" in said) == (0, False), said.decode()
    for server, times in agents.items():
        assert raw_rows(server) == []
        assert told(server, times) == times
        assert kept(server) == len(times)
