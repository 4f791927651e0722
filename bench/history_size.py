"""What the past of processes costs: bytes on disk of each process in each table, CPU, and time to read it.

    python bench/history_size.py [SNAPSHOTS]

Stores an hour of reports of 500 processes, 10 s apart, as the hub does; measures the raw tables on disk (indexes,
TOAST and the overhead of rows included), compacts them, and measures the chunks. Of three kinds: typical and busy ones
(process_recording.py) and, in few snapshots, this machine's own processes as the agent reads them. A process-sample is
one process in one table. Starts a PostgreSQL of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.process_recording import BUSY, TYPICAL, Recording, of_this_machine, shares

own_hub.begin()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from pmonitor import live, secrets  # noqa: E402
from servers import compaction, ingest, partitions, past, proctable  # noqa: E402
from servers.history import CHUNKS, HOUR, LEVELS, PROCESSES  # noqa: E402
from servers.models import Server  # noqa: E402
from servers.wire import Load, Proc, Report  # noqa: E402

SERVERS = 4  # of each kind, so that pages and indexes fill as they do
REAL = 40  # snapshots of this machine, a second apart
READS = 40
STEP = timedelta(seconds=10)


class Cost(NamedTuple):
    """Of one kind: bytes a process-sample before and after, CPU ms a snapshot of both programs, ms to read a table."""

    raw: float
    compacted: float
    storing_ms: float
    compacting_ms: float
    raw_read_ms: float
    read_ms: float


def servers_named(name: str) -> list[Server]:
    """Servers of a kind."""
    made = []
    for number in range(SERVERS):
        _token, prefix, hashed = secrets.new("pma")
        agent_id = f"{name}-{number}"
        made.append(Server.objects.create(agent_id=agent_id, hostname=agent_id, token_prefix=prefix, token_hash=hashed))
    return made


def store(server: Server, tables: list[list[Proc]], start: datetime) -> None:
    """Store them as reports."""
    for number, procs in enumerate(tables):
        at = start + number * STEP + timedelta(microseconds=number * 7919 % 20_000)  # as the network lets them come
        report = Report(server.agent_id, at.timestamp(), Load(cpu=8.9, mem_used_mb=2048, mem_total_mb=8192), procs)
        ingest.store(server, report, at)


def size(table: str) -> int:
    """Bytes of a partitioned table on disk, all included, after what is deleted in it was given back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits WHERE inhparent = %s::regclass",
            [table],
        )
        return int(cursor.fetchone()[0])


def cpu_ms(run: Callable[[], object]) -> float:
    """CPU of Python and of the PostgreSQL process that serves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        served_by = psutil.Process(cursor.fetchone()[0])
    python, postgres = time.process_time(), sum(served_by.cpu_times()[:2])
    run()
    return 1000 * (time.process_time() - python + sum(served_by.cpu_times()[:2]) - postgres)


def read_ms(servers: list[Server], start: datetime, snapshots: int) -> float:
    """The median time to read one table of a past moment."""
    took = []
    for number in range(READS):
        moment = start + STEP * (number * 37 % snapshots)
        began = time.perf_counter()
        found = past.table(servers[number % len(servers)].pk, moment + STEP / 2)
        took.append(1000 * (time.perf_counter() - began))
        assert found is not None
    return statistics.median(took)


def measure(name: str, tables: Callable[[int], Iterator[list[Proc]]], snapshots: int) -> Cost:
    """Store, measure, compact, measure again."""
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {PROCESSES}, {CHUNKS}")
    for level in (PROCESSES, CHUNKS):
        partitions.make(LEVELS[level], start, start)
    empty, servers = (size(PROCESSES), size(CHUNKS)), servers_named(name)
    count, storing = 0, 0.0
    for number, server in enumerate(servers):
        reported = list(islice(tables(number), snapshots))
        count += sum(map(len, reported))
        storing += cpu_ms(partial(store, server, reported, start))
    raw, raw_read = size(PROCESSES) - empty[0], read_ms(servers, start, snapshots)
    compacting = cpu_ms(lambda: [compaction.compact_hour(server.pk, start, timezone.now()) for server in servers])
    compacted = size(CHUNKS) - empty[1]
    return Cost(
        raw / count, compacted / count, storing / (SERVERS * snapshots), compacting / (SERVERS * snapshots), raw_read,
        read_ms(servers, start, snapshots),
    )  # fmt: skip


def main() -> None:
    """Measure each kind, print the table, say how the budgets came out."""
    snapshots = int(sys.argv[1]) if len(sys.argv) > 1 else 360
    live.loop = asyncio.new_event_loop()  # a web process has one, and announces through it
    threading.Thread(target=live.loop.run_forever, daemon=True).start()
    real = list(of_this_machine(REAL))
    whole = statistics.mean(len(proctable.pack(table)) / max(len(table), 1) for table in real)
    print(
        f"this machine: {len(real[-1])} processes, {REAL} snapshots a second apart; whole tables {whole:.1f} B a sample"
    )
    print(
        f"{'':10}{'CPU, memory differ':>20}{'raw':>8}{'chunk':>8}{'store':>8}{'compact':>9}{'read raw':>10}{'read':>7}"
    )
    costs: dict[str, Cost] = {}
    kinds: dict[str, tuple[Callable[[int], Iterator[list[Proc]]], int]] = {
        "typical": (lambda number: iter(Recording(TYPICAL, seed=number)), snapshots),
        "busy": (lambda number: iter(Recording(BUSY, seed=number)), snapshots),
        "real": (lambda _number: iter(real), REAL),
    }
    for name, (tables, count) in kinds.items():
        cost = costs[name] = measure(name, tables, count)
        cpu, mem, _new = shares(list(islice(tables(0), 60)))
        print(
            f"{name:10}{cpu:12.0%}{mem:8.0%}{cost.raw:8.2f}{cost.compacted:8.2f}{cost.storing_ms:8.2f}"
            f"{cost.compacting_ms:9.2f}{cost.raw_read_ms:10.1f}{cost.read_ms:7.1f}"
        )
    print("raw, chunk: bytes a process-sample on disk; store, compact: CPU ms a snapshot; read: ms a table (medians)")
    close(
        Budget("typical, before compaction", costs["typical"].raw, 1.2, "B"),
        Budget("typical, compacted", costs["typical"].compacted, 0.6, "B"),
        Budget("busy, compacted", costs["busy"].compacted, 1.6, "B"),
        Budget("CPU to compact a typical snapshot", costs["typical"].compacting_ms, 1, "ms"),
        Budget("CPU to compact a busy snapshot", costs["busy"].compacting_ms, 1, "ms"),
    )


if __name__ == "__main__":
    main()
