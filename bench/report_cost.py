"""What one report of 500 processes costs the hub: CPU of Python and of PostgreSQL, beside a floor.

    python bench/report_cost.py [REPORTS]

Ours is what the view does after its token is known: unpack and decode the body, store it, commit. The floor writes
the same bytes by COPY into a bare table, a commit each. Both run in turns in one process; PostgreSQL's share is the
CPU time of the process that serves this connection. Starts a PostgreSQL of its own, or uses DATABASE_URL's.
"""

from __future__ import annotations

import asyncio
import atexit
import gzip
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import django
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pmonitor.embedded import Embedded

if "DATABASE_URL" not in os.environ:
    folder = tempfile.TemporaryDirectory(prefix="pmonitor-bench-")
    database = Embedded(Path(folder.name) / "data")
    os.environ["DATABASE_URL"] = database.start()
    atexit.register(database.stop)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")
os.environ.setdefault("SECRET_KEY", "only-for-this-measurement")
os.environ.setdefault("LOG_LEVEL", "WARNING")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from pmonitor import live, secrets  # noqa: E402
from servers import bodies, history, ingest, partitions, proctable  # noqa: E402
from servers.models import Server  # noqa: E402

ROUNDS = 10
PROGRAMS = ["nginx", "redis-server", "postgres", "kworker/0:1-events", "systemd-journald", "python3", "sshd", "java"]
Cost = tuple[float, float]  # milliseconds of CPU for one report: Python's, PostgreSQL's


def body(agent_id: str, number: int, kind: random.Random) -> bytes:
    """A report as our agent sends it, gzipped as it does."""
    procs = [
        {
            "name": kind.choice(PROGRAMS),
            "pid": 300 + 3 * index,
            "cpu": kind.choice([0.0, 0.0, 0.0, 0.1, 1.2, round(kind.random() * 50, 1)]),
            "memMB": round(kind.random() * 300, 2),
            "status": kind.choice(["sleeping", "idle", "running"]),
            "user": kind.choice(["root", "www-data", "postgres"]),
            "cmdline": f"/usr/bin/{kind.choice(PROGRAMS)} --config /etc/program-{index % 40}.conf --foreground",
            "ppid": kind.choice([1, 2, 300]),
            "threads": kind.randint(1, 40),
            "startTicks": 1000 + index * 137,
        }
        for index in range(500)
    ]
    load = {"cpu": 8.9, "memUsedMB": 2048.0, "memTotalMB": 8192.0, "load1": 0.5, "netRxBps": 1200.5}
    facts = {"hostname": agent_id, "kernel": "6.1.0", "cpuCount": 4, "version": "0.1.0", "procsTotal": 520}
    report = {"agentId": agent_id, "ts": number, "procs": procs, "load": load, "uptimeSec": 12345, "alerts": []} | facts
    return gzip.compress(json.dumps(report).encode(), 1)


def cost(run: Callable[[], None], reports: int, served_by: psutil.Process) -> Cost:
    """The CPU of one run by reports, in milliseconds."""
    python, postgres = time.process_time(), sum(served_by.cpu_times()[:2])
    run()
    python, postgres = time.process_time() - python, sum(served_by.cpu_times()[:2]) - postgres
    return python * 1000 / reports, postgres * 1000 / reports


def ours(server: Server, reports: list[bytes]) -> None:
    """What the view does."""
    for packed in reports:
        ingest.store(server, bodies.report(packed, "gzip"), timezone.now(), "127.0.0.1")


def floor(reports: list[bytes]) -> None:
    """The same bytes into a bare table by COPY, a commit each."""
    for packed in reports:
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy("COPY bench_floor FROM STDIN") as copy:
            copy.write_row([packed])


def shares(server: Server, packed: bytes) -> dict[str, float]:
    """Milliseconds of Python's CPU for each part of a report's way."""
    report = bodies.report(packed, "gzip")
    parts: dict[str, Callable[[], object]] = {
        "unpack": lambda: bodies.unpacked(packed, "gzip"),
        "unpack, decode and validate": lambda: bodies.report(packed, "gzip"),
        "pack the process table": lambda: proctable.pack(report.procs or []),
    }
    return {name: _each(part) for name, part in parts.items()}


def _each(part: Callable[[], object], times: int = 200) -> float:
    started = time.process_time()
    for _ in range(times):
        part()
    return (time.process_time() - started) * 1000 / times


def main() -> None:
    """Measure, print, and leave nothing behind."""
    reports = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    call_command("migrate", verbosity=0)
    partitions.keep()
    agent_id, kind = f"bench-{os.getpid()}", random.Random(1)
    _token, prefix, hashed = secrets.new("pma")
    server = Server.objects.create(agent_id=agent_id, hostname=agent_id, token_prefix=prefix, token_hash=hashed)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bench_floor (body bytea)")
        cursor.execute("ALTER TABLE bench_floor ALTER COLUMN body SET STORAGE EXTERNAL")
        cursor.execute("SELECT pg_backend_pid()")
        served_by = psutil.Process(cursor.fetchone()[0])
    live.loop = asyncio.new_event_loop()  # a web process has one, and announces through it
    threading.Thread(target=live.loop.run_forever, daemon=True).start()
    try:
        measure(server, [body(agent_id, number, kind) for number in range(reports)], served_by)
    finally:
        clean(server)


def measure(server: Server, bodies_: list[bytes], served_by: psutil.Process) -> None:
    """Both in turns; what is printed are medians over the rounds."""
    size = max(1, len(bodies_) // ROUNDS)
    turns = [bodies_[start : start + size] for start in range(0, size * ROUNDS, size)]
    mine, bare = [], []
    for turn in turns:
        mine.append(cost(partial(ours, server, turn), len(turn), served_by))
        bare.append(cost(partial(floor, turn), len(turn), served_by))
    table(mine, bare)
    for name, milliseconds in shares(server, bodies_[0]).items():
        print(f"  {name:30} {milliseconds:6.3f} ms of Python's")
    packed = len(proctable.pack(bodies.report(bodies_[0], "gzip").procs or []))
    print(f"  body {len(bodies_[0]):,} bytes gzipped, process table at rest {packed:,} bytes")


def table(mine: list[Cost], bare: list[Cost]) -> None:
    """CPU of both, and their ratio."""
    print(f"{'CPU ms per report':32} {'Python':>7} {'PostgreSQL':>11} {'both':>7}")
    sums = []
    for name, costs in (("ours, decode to commit", mine), ("floor, COPY of the same bytes", bare)):
        python, postgres = (statistics.median(column) for column in zip(*costs, strict=True))
        sums.append(python + postgres)
        print(f"{name:32} {python:7.3f} {postgres:11.3f} {python + postgres:7.3f}")
    print(f"ratio ours / floor: {sums[0] / sums[1]:.1f}")


def clean(server: Server) -> None:
    """Take the measured server out again."""
    with connection.cursor() as cursor:
        for level in history.LEVELS:
            cursor.execute(f"DELETE FROM {level} WHERE server_id = %s", [server.pk])  # noqa: S608
    server.delete()


if __name__ == "__main__":
    main()
