"""How many servers' past the preview of a rule on processes looks at: seven days of 500 processes on each.

    python bench/alert_preview_processes.py [--servers 50] [--days 7]

All hours but the last are compacted. The floor reads and unzips the identities of every hour. Beside it rules on a
name that is nowhere, on some that are everywhere (60 processes of a server, or two of them), and on all processes.
Each server is looked at whole. Told is Python's CPU, and how many there were time for in the preview's four seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import process_search
from bench.budgets import Budget, close
from bench.process_recording import TYPICAL, Recording

from django.db import connection  # isort: skip
from django.utils import timezone  # isort: skip
from zstandard import ZstdCompressor  # isort: skip
from alerts.evaluate.replay import replay_until  # isort: skip
from alerts.models import Rule  # isort: skip
from alerts.rules import kinds, preview  # isort: skip
from pmonitor.rows import fetched_as_bytes  # isort: skip
from servers import history, ingest, partitions, process_runs, proctable  # isort: skip
from servers.chunks import write  # isort: skip
from servers.chunks.read import HEAD  # isort: skip
from servers.chunks.samples import MICROSECOND, Sample  # isort: skip
from servers.columns import Reader, Writer  # isort: skip
from servers.history import HOUR  # isort: skip
from servers.models import Server  # isort: skip
from servers.wire import Load, Report  # isort: skip

STEP, RECORDINGS = timedelta(seconds=10), 8
RAW = f"""INSERT INTO {history.PROCESSES} (server_id, sampled_at, ts, procs_total, procs)
    SELECT s.id, sampled_at, ts, procs_total, procs FROM {history.PROCESSES}, servers_server s
    WHERE server_id = %s AND s.id <> %s"""  # noqa: S608
CASES: dict[str, tuple[str, float, dict[str, Any], float]] = {  # kind, limit, params; CPU of a server in ms at most
    "missing, a name that is nowhere": (kinds.MISSING, 1, {"pattern": "no-such-name"}, 500),
    "CPU, a name that is nowhere": (kinds.PROCESS_CPU, 90, {"pattern": "no-such-name"}, 150),
    "CPU, a command line that is nowhere": (kinds.PROCESS_CPU, 90, {"by": "cmdline", "pattern": "no-such-part"}, 200),
    "missing, a name on all": (kinds.MISSING, 1, {"pattern": "redis-server"}, 300),
    "too many, a name on all": (kinds.TOO_MANY, 400, {"pattern": "redis-server"}, 400),
    "restarting, a name on all": (kinds.RESTARTING, 3, {"pattern": "redis-server", "withinSec": 600}, 500),
    "CPU, a name on all": (kinds.PROCESS_CPU, 90, {"pattern": "redis-server"}, 600),
    "CPU, a name on all, together": (kinds.PROCESS_CPU, 900, {"pattern": "redis-server", "together": True}, 600),
    "CPU, a name on all, nearly always over": (kinds.PROCESS_CPU, 0.5, {"pattern": "redis-server"}, 2_000),
    "memory, a command line on all": (kinds.PROCESS_MEMORY, 9_000, {"by": "cmdline", "pattern": "kafka-7"}, 500),
    "CPU, all processes": (kinds.PROCESS_CPU, 900, {"pattern": "*"}, 3_000),
}


def fill(count: int, start: datetime, hours: int) -> list[int]:
    """Servers with a past of so many hours from then on, the last one raw; their numbers."""
    servers = process_search.servers_of(count)
    partitions.make(history.LEVELS[history.CHUNKS], start, start + hours * HOUR)
    for kind in range(min(RECORDINGS, count)):
        tables = islice(Recording(TYPICAL, seed=kind), 360)
        samples = [Sample(start + n * STEP, n * 10.0, 500, proctable.table_of(table)) for n, table in enumerate(tables)]
        data = write.encode(samples)
        for hour in range(hours - 1):
            moved, begin = later(data, hour * HOUR // MICROSECOND), start + hour * HOUR
            rows: list[list[Any]] = [
                [server.pk, begin, begin, begin + 359 * STEP, moved] for server in servers[kind::RECORDINGS]
            ]
            with connection.cursor() as cursor:
                cursor.executemany(process_search.INSERT, rows)
    report(servers[0], start + (hours - 1) * HOUR)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return [server.pk for server in servers]


def later(data: bytes, micros: int) -> bytes:
    """The chunk, as if sampled so many microseconds later."""
    size = int.from_bytes(data[1:5], "little")
    reader, writer = Reader(proctable.decompressed(data[HEAD : HEAD + size])), Writer()
    count = reader.number()
    times = reader.column(count).stretch(0, count)
    writer.number(count)
    writer.whole([time + micros for time in times])
    head = ZstdCompressor(level=write.LEVEL).compress(bytes(writer.bytes) + reader.rest())
    return data[:1] + len(head).to_bytes(4, "little") + data[5:HEAD] + head + data[HEAD + size :]


def report(server: Server, start: datetime) -> None:
    """An hour of reports, which the other servers get as well."""
    partitions.make(history.LEVELS[history.PROCESSES], start, start + HOUR)
    for number, procs in enumerate(islice(Recording(TYPICAL, seed=99), 360)):
        at = start + number * STEP
        ingest.store(server, Report(server.agent_id, at.timestamp(), Load(), procs), at)
    with connection.cursor() as cursor:
        cursor.execute(RAW, [server.pk, server.pk])


def floor(servers: list[int], start: datetime, end: datetime) -> int:
    """Read and unzip what each hour begins with."""
    unzipped = 0
    for server in servers:
        hours = [start + number * HOUR for number in range((end - start) // HOUR)]
        for first in range(0, len(hours), process_runs.AT_ONCE):
            some = hours[first : first + process_runs.AT_ONCE]
            for _hour, data in fetched_as_bytes(process_runs.HEADS, [server, some]):
                unzipped += len(proctable.decompressed(data[HEAD:]))
    return unzipped


def main() -> None:
    """Fill, replay, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=50)
    arguments.add_argument("--days", type=int, default=7)
    given = arguments.parse_args()
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=given.days)
    servers = fill(given.servers, start, given.days * 24)
    some = servers[:10]
    began = time.process_time()
    floor(some, start, end)
    each = (time.process_time() - began) / len(some)
    print(f"{given.days} days of {given.servers} servers{'ms CPU a server':>32}{'servers in 4 s':>16}{'incidents':>11}")
    print(f"{'floor: identities, unzipped':44}{1000 * each:11.0f}")
    budgets = []
    for what, (kind, limit, params, most) in CASES.items():
        rule = Rule(kind=kind, params={"by": "name"} | params, limit=limit, severity="warning")
        enough, cpu = preview.spent(preview.LOOK_SEC), time.process_time()
        found = replay_until(rule, servers, start, end, enough)
        assert found is not None
        each = 1000 * (time.process_time() - cpu) / len(found.looked_at)
        print(f"{what:44}{each:11.0f}{len(found.looked_at):16}{len(found.episodes):11}")
        budgets.append(Budget(f"preview: {what}", each, most, "ms"))
    close(*budgets)


if __name__ == "__main__":
    main()
