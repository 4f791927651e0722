"""What a chart of each range costs the hub, with 30 days of 50 servers kept: lanes, and the same as CSV and SVG.

    python bench/charts.py [--servers 50] [--days 30] [--times 40] [--plans]

Readings each 10 s for 48 hours, by the minute for the days, by the hour for two years, of every metric. Each is asked
for of a server at random, in this process, through every middleware: no network, no web server. Beside each stands what
PostgreSQL says of its query: milliseconds of planning and running, rows read; with --plans the plan of each.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close

own_hub.begin()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import seed  # noqa: E402
from pmonitor import web  # noqa: E402
from servers import history, partitions, rollup  # noqa: E402
from servers.history import HOST_DAYS, HOST_HOURS, HOST_MINUTES, HOST_READINGS, LEVELS, READINGS  # noqa: E402
from servers.models import Scope, Server  # noqa: E402
from servers.ranges import RANGES  # noqa: E402

BOUND_MS = 100
TWO_YEARS = timedelta(days=730)
PARTS = {"": ("readings/", "lanes"), "csv": ("readings.csv", "CSV"), "svg": ("readings.svg", "SVG")}
# Every reading as a wave around something, another one for each server; in the order in which a hub writes them:
# all servers of a stretch, what is of one server together. In another order a page reads fewer blocks than it would.
WAVES = """INSERT INTO {table} ({columns}) SELECT s, at, {extra}, {values}
    FROM unnest(%(servers)s) s, generate_series(%(start)s, %(end)s, %(step)s::interval) at,
        LATERAL (SELECT (60 + 30 * sin(extract(epoch FROM at) / 5000 + s))::real AS v) wave
    ORDER BY date_bin(%(together)s, at, 'epoch'), s, at ON CONFLICT DO NOTHING"""
TOGETHER = {HOST_READINGS: timedelta(seconds=10), **rollup.STRETCHES}
# How far the wave of a reading goes, 1 unless it is here: a machine of 16 GB with traffic, whose curves have heights.
SCALES = {"mem_used_mb": 100, "mem_total_mb": 250, "swap_used_mb": 5, "swap_total_mb": 25, "load1": 0.1} | {
    "load5": 0.1, "load15": 0.09, "disk_read_bps": 90_000, "disk_write_bps": 400_000, "net_rx_bps": 1_000_000,
    "net_tx_bps": 70_000, "procs_total": 7, "cpu_user": 0.6, "cpu_system": 0.2, "cpu_iowait": 0.1, "cpu_steal": 0.01,
}  # fmt: skip


class Took(NamedTuple):
    """Of one address: milliseconds of each time, then of its longest query, the rows that read, bytes of an answer."""

    ms: list[float]
    query_ms: float
    rows: int
    size: int

    @property
    def p95(self) -> float:
        """The 95th percentile of its milliseconds."""
        return statistics.quantiles(self.ms, n=20, method="inclusive")[-1]


def fill(servers: list[Server], days: int) -> None:
    """All levels, up to where a worker would have them by now, and the states of those two years."""
    now = timezone.now().replace(second=0, microsecond=0)
    seed.live_through(servers, now - TWO_YEARS, now)
    until, ready = {}, now - rollup.GRACE
    for level, stretch in rollup.STRETCHES.items():
        ready = until[level] = rollup._floor(ready, stretch)
    scaled = {name: f"v * {SCALES.get(name, 1)}" for name in READINGS}
    raw = ", ".join(f"({scaled[name]})::{'integer' if name == 'procs_total' else 'real'}" for name in READINGS)
    rolled = ", ".join(f"{each}, {each} * 0.8, {each} * 1.2, 6" for each in scaled.values())
    columns = ", ".join(f"{name}_{of}" for name in READINGS for of in ("avg", "min", "max", "n"))
    raw_columns = f"server_id, sampled_at, ts, {', '.join(READINGS)}"
    every, when = timedelta(seconds=10), "extract(epoch FROM at)"
    wave(HOST_READINGS, servers, timedelta(days=2), now, every, raw_columns, when, raw)
    for level, kept in ((HOST_MINUTES, timedelta(days=days)), (HOST_HOURS, TWO_YEARS), (HOST_DAYS, TWO_YEARS)):
        width, written = rollup.WIDTHS[level], f"server_id, at, samples, {columns}"
        wave(level, servers, kept, until[level], width, written, "6", rolled)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO servers_rolledup VALUES (%s, %s) ON CONFLICT (level) DO UPDATE SET until = excluded.until",
                [level, until[level]],
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def wave(
    table: str, servers: list[Server], kept: timedelta, end: Any, step: timedelta, columns: str, extra: str, values: str
) -> None:
    """One level, that far back from its end."""
    start = end - kept
    partitions.make(LEVELS[table], start, end)
    query = WAVES.format(table=table, columns=columns, extra=extra, values=values)
    with connection.cursor() as cursor:
        about = {
            "servers": [server.pk for server in servers],
            "start": start,
            "end": end,
            "step": step,
            "together": TOGETHER[table],
        }
        cursor.execute(query, about)
        print(f"{table:22}{cursor.rowcount:12,} rows")


def viewer() -> Client:
    """A signed-in viewer of every server."""
    user = User.objects.create_user("bench", password=None)
    user.groups.add(Group.objects.get(name="viewer"))
    Scope.objects.create(user=user, everything=True)
    browser = Client(headers={"Accept-Encoding": "gzip", "Host": "localhost"})
    browser.force_login(user)
    return browser


def measure(browser: Client, servers: list[Server], part: str, asked: str, times: int, plans: bool) -> Took:
    """Ask for it of servers at random."""
    chance, ms, answer = random.Random(asked), [], browser.get(f"/servers/{servers[0].agent_id}/{part}?{asked}")
    for _ in range(times):
        address = f"/servers/{chance.choice(servers).agent_id}/{part}?{asked}"
        began = time.perf_counter()
        answer = browser.get(address)
        ms.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, (address, answer.status_code)
    return Took(ms, *explained(browser, f"/servers/{servers[0].agent_id}/{part}?{asked}", plans), len(answer.content))


def explained(browser: Client, address: str, plans: bool) -> tuple[float, int]:
    """What PostgreSQL says of the query of the readings."""
    with CaptureQueriesContext(connection) as queries:
        browser.get(address)
        (sql,) = [query["sql"] for query in queries if "date_bin(make_interval" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        told: Any = cursor.fetchone()[0][0]
        if plans:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}")
            print(f"\n{address}", *(line[:160] for (line,) in cursor.fetchall()), sep="\n")
    return told["Planning Time"] + told["Execution Time"], read(told["Plan"])


def read(plan: dict[str, Any]) -> int:
    """The rows that the plan's scans gave."""
    inner = plan.get("Plans", [])
    own = plan["Actual Rows"] * plan["Actual Loops"] if "Relation Name" in plan else 0
    return int(own + sum(read(one) for one in inner))


def main() -> None:
    """Fill, ask for each range in each form, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=50)
    arguments.add_argument("--days", type=int, default=history.LEVELS[HOST_MINUTES].kept.days)
    arguments.add_argument("--times", type=int, default=40)
    arguments.add_argument("--plans", action="store_true")
    given = arguments.parse_args()
    partitions.keep()
    servers = seed.seed(given.servers + 1)[1:]
    fill(servers, given.days)
    web.keep_start()
    browser, worst = viewer(), dict.fromkeys(PARTS, 0.0)
    month = timezone.now().replace(microsecond=0) - timedelta(days=given.days - 2)
    free = f"from={int(month.timestamp())}&to={int(month.timestamp()) + 5400}"  # 90 minutes, long ago
    print(f"{'':14}{'p50 ms':>9}{'p95 ms':>9}{'query ms':>10}{'rows read':>11}{'gzipped':>10}")
    for part, (path, word) in PARTS.items():
        for name, asked in [*((name, f"range={name}") for name in RANGES), ("90 min, old", free)]:
            took = measure(browser, servers, path, asked, given.times, given.plans)
            worst[part] = max(worst[part], took.p95)
            middle = statistics.median(took.ms)
            head = f"{word} {name}"
            print(f"{head:16}{middle:7.1f}{took.p95:9.1f}{took.query_ms:10.1f}{took.rows:11,}{took.size:10,}")
    words = {part: word for part, (_path, word) in PARTS.items()}
    close(*(Budget(f"p95 of the slowest range, {words[part]}", most, BOUND_MS, "ms") for part, most in worst.items()))


if __name__ == "__main__":
    main()
