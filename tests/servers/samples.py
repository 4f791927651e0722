"""Process tables to put into the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
from django.db import connection
from hypothesis import strategies as st

from servers import changes, history, ingest, proctable
from servers.chunks.samples import Sample
from servers.models import Server
from servers.wire import Proc, Report
from tests.servers.reports import report

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
WHOLE = st.none() | st.integers(0, 2**31 - 1)
PERCENT = st.integers(0, 10_000).map(lambda tenths: tenths / 10) | st.floats(0, 1e6)
PROCS = st.builds(
    Proc,
    name=st.sampled_from(["nginx", "redis-server"]) | st.text(max_size=8),
    pid=st.integers(1, 9) | st.integers(0, 2**31 - 1),
    cpu=st.none() | PERCENT,
    mem_mb=st.integers(0, 100_000).map(lambda hundredths: hundredths / 100) | st.floats(0, 1e12),
    status=st.sampled_from(["running", "sleeping"]) | st.text(max_size=5),
    user=st.sampled_from(["", "root"]) | st.text(max_size=5),
    cmdline=st.text(max_size=12),
    ppid=WHOLE,
    threads=WHOLE,
    start_ticks=st.none() | st.integers(0, 5) | st.integers(0, 2**63 - 1),
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Proc]]:
    """Tables one after the other, of processes that stay, move, change, come and go in any order."""
    pool = draw(st.lists(PROCS, min_size=1, max_size=8))
    tables = []
    for _ in range(draw(st.integers(1, 6))):
        there = draw(st.lists(st.sampled_from(pool), max_size=8))
        tables.append([msgspec.structs.replace(proc, cpu=draw(st.none() | PERCENT)) for proc in there])
    return tables


def sampled(tables: Sequence[Sequence[Proc]], start: datetime = T0, seconds: float = 10) -> list[Sample]:
    """The tables as samples so many seconds apart."""
    return [
        Sample(start + timedelta(seconds=seconds * number), 1.7e9 + number, len(table) + 3, proctable.table_of(table))
        for number, table in enumerate(tables)
    ]


def proc(pid: int = 1, **facts: object) -> Proc:
    """A process."""
    return msgspec.structs.replace(Proc("nginx", pid, 0.0, 12.5, "sleeping", "www", "nginx -g x", 1, 4, 99), **facts)


def minute_of(number: int, size: int = 5) -> list[list[Proc]]:
    """Six tables in which a process comes, one goes, and some move; numbered so that no two minutes are the same."""
    return [
        [proc(pid, cpu=pid * step / 10, mem_mb=100.0 + number) for pid in range(number + step, number + step + size)]
        for step in range(6)
    ]


def quarter(seed: int, start: datetime) -> dict[datetime, list[Proc]]:
    """What a server sends within a quarter of an hour, of processes that come, go and move by chance."""
    random, procs, told = Random(seed), [proc(pid, cpu=1.0) for pid in range(1, 40)], {}
    for number in range(15):
        procs = [
            msgspec.structs.replace(one, cpu=random.randrange(1000) / 10, mem_mb=random.randrange(9000) / 100)
            if random.random() < 0.3
            else one
            for one in procs
            if random.random() < 0.97
        ]
        procs += [proc(1000 + number, name=f"job-{random.randrange(5)}", start_ticks=number)]
        told[start + timedelta(seconds=60 * number, microseconds=random.randrange(999_999))] = list(procs)
    return told


def store(
    server: Server, at: datetime, procs: Sequence[Proc], received: datetime | None = None, cpu: float | None = 5
) -> str:
    """Store a report sampled at a moment and received then, or later; returns how it ended."""
    received = received or at
    times = {"ts": at.timestamp(), "sentAt": received.timestamp()}
    body = report(agentId=server.agent_id, load={"cpu": cpu, "memUsedMB": 50, "memTotalMB": 100}, **times)
    body["procs"] = [msgspec.to_builtins(one) for one in procs]
    return ingest.store(server, msgspec.convert(body, Report), received).outcome


def raw_rows(server: Server) -> list[tuple[datetime, bool]]:
    """When each raw process table was sampled, and whether it is a change."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sampled_at, procs FROM {history.PROCESSES} WHERE server_id = %s ORDER BY 1",  # noqa: S608
            [server.pk],
        )
        return [(at, changes.is_change(bytes(procs))) for at, procs in cursor.fetchall()]
