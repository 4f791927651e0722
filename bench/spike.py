"""What it takes to explain a spike: an hour of 500 busy processes against the hour before.

    python bench/spike.py

Stores two hours of reports of a server whose processes are busy (process_recording.py) and asks, as the page does, for
the second hour against the first: of raw tables, then of chunks, then a day of chunks against the day before. CPU is of
Python and of the PostgreSQL process that serves it; on a machine with more to do only CPU says something. The floor
decodes the same tables. Starts a PostgreSQL of its own.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.process_recording import BUSY, Recording

own_hub.begin()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from pmonitor import live, secrets  # noqa: E402
from servers import compaction, ingest, partitions, past, spike_found  # noqa: E402
from servers.history import CHUNKS, HOUR, LEVELS, PROCESSES  # noqa: E402
from servers.models import Newest, Server  # noqa: E402
from servers.spike_asked import Asked  # noqa: E402
from servers.wire import Load, Proc, Report  # noqa: E402

STEP, HOURS, TIMES = timedelta(seconds=10), 2, 3
COPY = f"""INSERT INTO {CHUNKS} (server_id, hour, first_at, last_at, written_at, samples, process_samples, data)
    SELECT server_id, hour - %s::interval, first_at - %s::interval, last_at - %s::interval, written_at,
    samples, process_samples, data FROM {CHUNKS} WHERE hour >= %s::timestamptz"""  # noqa: S608


class Cost(NamedTuple):
    """Milliseconds: on the clock, and on processors."""

    wall: float
    cpu: float


def report(server: Server, start: datetime) -> None:
    """Two hours of reports."""
    for level in (PROCESSES, CHUNKS):
        partitions.make(LEVELS[level], start - 48 * HOUR, start + HOURS * HOUR)
    for number, procs in enumerate(islice(Recording(BUSY), HOURS * 360)):
        at = start + number * STEP
        ingest.store(server, _report(server, at, procs, 5.0 + 30.0 * (number >= 360)), at)


def _report(server: Server, at: datetime, procs: list[Proc], cpu: float) -> Report:
    load = Load(cpu=cpu, mem_used_mb=2048, mem_total_mb=8192)
    return Report(server.agent_id, at.timestamp(), load, procs, cpu_count=64)


def explain(server: Server, start: datetime, end: datetime, metric: str = "cpu") -> int:
    """As the page does; how many samples there were."""
    newest = Newest.objects.get(server=server)
    found = spike_found.find(server.pk, newest, Asked(metric, start, end, {}, "", {}))
    return found.explained.before.samples + found.explained.now.samples


def decode(server: Server, start: datetime, end: datetime) -> int:
    """The floor of whoever reads all tables."""
    return sum(1 for _snapshot in past.tables(server.pk, start - (end - start), end))


def cost(run: Callable[[], int], samples: int, times: int = TIMES) -> Cost:
    """The least of a few runs: what else the machine does only adds to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        served_by = psutil.Process(cursor.fetchone()[0])
    costs = []
    for _ in range(times):
        wall, python, postgres = time.perf_counter(), time.process_time(), sum(served_by.cpu_times()[:2])
        assert run() == samples
        cpu = time.process_time() - python + sum(served_by.cpu_times()[:2]) - postgres
        costs.append(Cost(1000 * (time.perf_counter() - wall), 1000 * cpu))
    return min(costs, key=lambda one: one.cpu)


def line(what: str, took: Cost, floor: Cost | None = None) -> None:
    """One reading."""
    print(f"{what:38}{took.wall:10.0f}{took.cpu:10.0f}{f'{took.cpu / floor.cpu:9.2f}' if floor else ''}")


def both(server: Server, start: datetime, where: str) -> Cost:
    """The second hour against the first; its worse metric."""
    middle, end = start + HOUR, start + 2 * HOUR
    floor = cost(partial(decode, server, middle, end), 720, 1)
    line(f"decode all tables, {where}", floor, floor)
    costs = {metric: cost(partial(explain, server, middle, end, metric), 720) for metric in ("cpu", "mem")}
    for metric, took in costs.items():
        line(f"explain {metric}, {where}", took, floor)
    return max(costs.values(), key=lambda one: one.cpu)


def a_day(server: Server, start: datetime) -> Cost:
    """A day against the day before, of the same two hours again and again."""
    with connection.cursor() as cursor:
        for shift in range(2, 48, 2):
            by = f"{shift} hours"
            cursor.execute(COPY, [by, by, by, start.isoformat()])
    end = start + 2 * HOUR
    run = partial(explain, server, end - 24 * HOUR, end)
    took = cost(run, 48 * 360)
    line("explain cpu, a day of chunks", took)
    return took


def main() -> None:
    """Fill, ask, say how it stands with the budget."""
    live.loop = asyncio.new_event_loop()  # a web process has one, and announces through it
    threading.Thread(target=live.loop.run_forever, daemon=True).start()
    _token, prefix, hashed = secrets.new("pma")
    server = Server.objects.create(agent_id="busy", hostname="busy", token_prefix=prefix, token_hash=hashed)
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - 4 * HOUR
    report(server, start)
    print(f"{'500 busy processes, 1 h + 1 h':38}{'wall ms':>10}{'CPU ms':>10}{'/ floor':>9}")
    raw = both(server, start, "raw")
    for hour in range(HOURS):
        assert compaction.compact_hour(server.pk, start + hour * HOUR, timezone.now()) == 360
    chunks = both(server, start, "chunks")
    day = a_day(server, start)
    close(
        Budget("an hour of raw tables explained, CPU", raw.cpu, 300, "ms"),
        Budget("an hour of chunks explained, CPU", chunks.cpu, 300, "ms"),
        Budget("a day of chunks explained, CPU", day.cpu / 1000, 3, "s"),
    )


if __name__ == "__main__":
    main()
