"""Workers are killed (kill -9) while they move the past about; what an agent sent is what the past tells."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from servers import compaction, history, partitions, past
from servers.history import HOUR
from servers.models import Server
from servers.wire import Proc
from tests.actions.web_process import ROOT, database_url, sessions
from tests.servers.samples import proc, raw_rows, store

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
    """What a server sends within a quarter of an hour, of processes that come, go and move by chance."""
    random, procs, told = Random(seed), [proc(pid, cpu=1.0) for pid in range(1, 40)], Sent()
    for number in range(15):
        procs = [
            msgspec.structs.replace(one, cpu=random.randrange(1000) / 10, mem_mb=random.randrange(9000) / 100)
            if random.random() < 0.3
            else one
            for one in procs
            if random.random() < 0.97
        ]
        procs += [proc(1000 + number, name=f"job-{random.randrange(5)}", start_ticks=number)]
        at = start + number * 60 * SECOND + random.randrange(999_999) * timedelta(microseconds=1)
        told[at] = list(procs)
        store(server, at, procs)
    return told


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


def kill(step: str, when: str, point: str) -> None:
    """Have a worker of its own killed there, and wait until the database has seen that it is gone."""
    there = sessions()
    argv = [sys.executable, "-m", "tests.servers.killed", step, when, point]
    environ = {**os.environ, "DATABASE_URL": database_url()}
    worker = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, timeout=300, check=False)
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
