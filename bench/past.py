"""What travelling in time costs the hub: pages of past moments, with 30 days of 50 servers kept.

    python bench/past.py [--servers 50] [--days 30] [--times 60] [--plans]

Fills a database of its own: a chunk for each server and hour (500 processes, a report each 10 s; a few hours that were
really encoded, put on other hours' times), readings by the minute and by the hour, raw ones of the last two days,
services and what happened to them, and the newest report. Then asks for pages of moments drawn by chance, in this
process and through every middleware: no network, no web server. With --plans PostgreSQL explains the pages' queries.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.process_recording import TYPICAL, Recording

own_hub.begin()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from bench import seed  # noqa: E402
from pmonitor import secrets, web  # noqa: E402
from servers import history, ingest, moments, partitions, proctable, rollup  # noqa: E402
from servers.chunks import write  # noqa: E402
from servers.chunks.read import Chunk  # noqa: E402
from servers.chunks.samples import Sample  # noqa: E402
from servers.columns import Writer  # noqa: E402
from servers.history import CHUNKS, EVENTS, HOST_HOURS, HOST_MINUTES, HOST_READINGS, HOUR, READINGS  # noqa: E402
from servers.models import Scope, Server  # noqa: E402
from servers.wire import Load, Proc, Report, Service  # noqa: E402

KINDS = 5  # of hours; servers take them in turns
SAMPLES, STEP = 360, timedelta(seconds=10)
SERVICES = 40
CHUNK = (
    f"INSERT INTO {CHUNKS} SELECT id, %s, %s, %s, now(), {SAMPLES}, {500 * SAMPLES}, %s FROM unnest(%s::bigint[]) id"  # noqa: S608
)
ROLLED = """INSERT INTO {table} SELECT id, at, {samples}, {values} FROM unnest(%s::bigint[]) id,
    generate_series(%s::timestamptz, %s::timestamptz, %s) at ORDER BY date_bin(%s, at, 'epoch'), id, at"""
RAW = f"""INSERT INTO {HOST_READINGS} (server_id, sampled_at, ts, {", ".join(READINGS)})
    SELECT id, at, extract(epoch FROM at), 500, {", ".join("100 * random()" for _ in READINGS[1:])}
    FROM unnest(%s::bigint[]) id, generate_series(%s::timestamptz, %s::timestamptz, interval '10 seconds') at
    ORDER BY at, id ON CONFLICT DO NOTHING"""  # noqa: S608
HAPPENED = f"""INSERT INTO {EVENTS} (server_id, name, at, kind, facts)
    SELECT id, 'unit-' || (extract(epoch FROM at)::bigint / 3600 + id) %% {SERVICES} || '.service', at, 'restarted',
    '{{}}' FROM unnest(%s::bigint[]) id, generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') at"""  # noqa: S608


def servers_of(count: int) -> list[Server]:
    """So many servers."""
    made = []
    for number in range(count):
        _token, prefix, hashed = secrets.new("pma")
        name = f"srv-{number:03}"
        made.append(Server(agent_id=name, hostname=name, state="up", token_prefix=prefix, token_hash=hashed))
    return Server.objects.bulk_create(made)


def fill(servers: list[Server], days: int) -> tuple[datetime, datetime, list[list[Proc]]]:
    """Give them their past; when it begins and ends, and a table of each kind."""
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=days)
    ids = [server.pk for server in servers]
    partitions.keep()
    for table in (CHUNKS, HOST_MINUTES, HOST_HOURS, EVENTS):
        partitions.make(history.LEVELS[table], start, end)
    partitions.make(history.LEVELS[HOST_READINGS], end - timedelta(days=2), end)
    last = [_hours(ids[kind::KINDS], kind, start, end) for kind in range(min(KINDS, len(ids)))]
    _readings(ids, start, end)
    for number, server in enumerate(servers):
        _report(server, last[number % KINDS], end)
    seed.live_through(servers, start, end)
    with connection.cursor() as cursor:
        cursor.execute(HAPPENED, [ids, start, end])
        cursor.execute("VACUUM ANALYZE")
    return start, end, last


def _hours(ids: list[int], kind: int, start: datetime, end: datetime) -> list[Proc]:
    tables = list(islice(Recording(TYPICAL, seed=kind), SAMPLES))
    samples = [
        Sample(start + n * STEP, (start + n * STEP).timestamp(), 500, proctable.table_of(table))
        for n, table in enumerate(tables)
    ]
    data, hour = write.encode(samples), start
    with connection.cursor() as cursor:
        while hour < end:
            shifted = _shifted(data, hour - start)
            cursor.execute(CHUNK, [hour, hour, hour + (SAMPLES - 1) * STEP, shifted, ids])
            hour += HOUR
    return tables[-1]


def _shifted(data: bytes, by: timedelta) -> bytes:
    """The chunk with its samples so much later: only the first columns of its head are others."""
    chunk, writer, seconds = Chunk(data), Writer(), by.total_seconds()
    writer.number(chunk.count)
    writer.whole([moment + int(seconds * 1e6) for moment in chunk._times])
    writer.numbers([ts + seconds for ts in chunk._ts])
    writer.whole(chunk._totals)
    sections = [bytes(writer.bytes) + chunk._head.rest(), *(chunk._section(number) for number in range(1, 5))]
    return write._joined(map(bytearray, sections))


def _readings(ids: list[int], start: datetime, end: datetime) -> None:
    with connection.cursor() as cursor:
        for table, width, samples in ((HOST_MINUTES, "1 minute", 6), (HOST_HOURS, "1 hour", 360)):
            values = ", ".join(f"50 * random(), 0, 100, {samples}" for _ in READINGS)
            query = ROLLED.format(table=table, samples=samples, values=values)
            about: list[Any] = [ids, start, end - timedelta(seconds=1), width, rollup.STRETCHES[table]]
            cursor.execute(query, about)
            cursor.execute("INSERT INTO servers_rolledup VALUES (%s, %s)", [table, end])
        cursor.execute(RAW, [ids, max(start, end - timedelta(days=2)), end])


def _report(server: Server, procs: list[Proc], at: datetime) -> None:
    services = [
        Service(name=f"unit-{number}.service", active_state="active", sub_state="running", main_pid=procs[number].pid)
        for number in range(SERVICES)
    ]
    load = Load(cpu=8.9, mem_used_mb=2048, mem_total_mb=8192, load1=1.5, load15=1.4)
    ingest.store(server, Report(server.agent_id, at.timestamp() + 1, load, procs, services=services), at + STEP / 10)


def viewer() -> Client:
    """A signed-in operator who sees every server."""
    user = User.objects.create_user("bench", password=None)
    user.groups.add(Group.objects.get(name="operator"))
    Scope.objects.create(user=user, everything=True)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(user)
    return browser


def drawn(
    servers: list[Server], start: datetime, end: datetime, last: list[list[Proc]]
) -> dict[str, Callable[[], str]]:
    """By what is asked for: addresses drawn by chance."""
    chance = random.Random(4)

    def moment() -> str:
        return moments.written(start + HOUR + (end - start - 2 * HOUR) * chance.random())

    def server() -> tuple[int, str]:
        number = chance.randrange(len(servers))
        return number, f"/servers/{servers[number].agent_id}/"

    def line() -> str:
        number, page = server()
        proc = last[number % KINDS][chance.randrange(400)]
        at = moments.written(start + timedelta(days=1) + (end - start - timedelta(days=1, hours=12)) * chance.random())
        return f"{page}processes/{proc.pid}-{proc.start_ticks}/?range=24h&at={at}"

    return {
        "page of a past moment": lambda: f"{server()[1]}?at={moment()}",
        "another moment: then/": lambda: f"{server()[1]}then/?at={moment()}",
        "two moments compared": lambda: f"{server()[1]}?at={moment()}&with={moment()}",
        "process, line over 24 h": line,
        "page of now": lambda: server()[1],
    }


def took(browser: Client, addresses: Iterator[str]) -> list[float]:
    """Milliseconds of each."""
    times = []
    for address in addresses:
        began = time.perf_counter()
        answer = browser.get(address, headers={"Accept-Encoding": "gzip"})
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, address
    return times


def explain(browser: Client, address: str) -> None:
    """Print the plans of an address's queries."""
    with CaptureQueriesContext(connection) as queries:
        browser.get(address)
    for query in list(queries):
        if query["sql"].startswith(("SELECT", "(SELECT")):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query['sql']}")
                plan = "\n".join(line for (line,) in cursor.fetchall())
            print(f"\n{query['time']} s: {query['sql'][:400]}\n{plan}")


def main() -> None:
    """Fill, ask, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=50)
    arguments.add_argument("--days", type=int, default=30)
    arguments.add_argument("--times", type=int, default=60)
    arguments.add_argument("--plans", action="store_true")
    given = arguments.parse_args()
    began, servers = time.monotonic(), servers_of(given.servers)
    asked, browser = drawn(servers, *fill(servers, given.days)), viewer()
    web.keep_start()
    print(f"{given.days} days of {given.servers} servers, filled in {time.monotonic() - began:.0f} s")
    print(f"{'ms at the hub':28}{'p50':>8}{'p95':>8}{'max':>8}{'queries':>9}")
    p95 = {}
    for what, address in asked.items():
        with CaptureQueriesContext(connection) as queries:
            browser.get(address())
            count = len(queries)
        took(browser, (address() for _ in range(3)))
        times = sorted(took(browser, (address() for _ in range(given.times))))
        p95[what] = times[int(0.95 * len(times))]
        print(f"{what:28}{statistics.median(times):8.1f}{p95[what]:8.1f}{times[-1]:8.1f}{count:9}")
    if given.plans:
        explain(browser, asked["two moments compared"]())
        explain(browser, asked["process, line over 24 h"]())
    close(*(Budget(f"{what}, p95", p95[what], 100, "ms") for what in list(asked)[:3]))


if __name__ == "__main__":
    main()
