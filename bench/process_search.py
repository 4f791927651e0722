"""What finding a process over the fleet takes: among all that run now, and among those of a past day.

    python bench/process_search.py [SERVERS [PAST_SERVERS [HOURS]]]

2,000 servers of 500 processes by default, whose newest tables are searched for words that few, many and none have;
beside it the floor: fetching and unpacking the same tables. Then the past: so many compacted hours on so many servers,
searched by the page's own function; its floor fetches and unpacks the chunks. CPU is of Python and of the PostgreSQL
process that serves it; on a machine with more to do only CPU says something. Starts a PostgreSQL of its own.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
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
from bench.process_recording import TYPICAL, Recording

own_hub.begin()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from pmonitor import secrets, web  # noqa: E402
from pmonitor.rows import fetched_as_bytes  # noqa: E402
from servers import history, partitions, process_lives, process_search, proctable  # noqa: E402
from servers.chunks import write  # noqa: E402
from servers.chunks.read import Chunk  # noqa: E402
from servers.chunks.samples import Sample  # noqa: E402
from servers.history import HOUR  # noqa: E402
from servers.models import Newest, Server, Service  # noqa: E402
from servers.process_query import parse  # noqa: E402

KINDS = 40  # of tables and of hours; servers take them in turns
TIMES = 11
FEW = 5  # servers; one after the other is looked through, so that more take no more memory
STEP = timedelta(seconds=10)
SERVICES = 40  # of each server
NOW_WORDS = ("no-such-process", "kafka-17", "pid:4000", "redis-server", "name:sshd cmd:pts/7")
PAST_WORDS = ("no-such-process", "module_17", "project-9", "redis-server")
INSERT = f"""INSERT INTO {history.CHUNKS}
    (server_id, hour, first_at, last_at, written_at, samples, process_samples, data)
    VALUES (%s, %s, %s, %s, now(), 360, 180000, %s)"""  # noqa: S608


class Cost(NamedTuple):
    """Milliseconds: on the clock, the usual and the 95th percentile, and the least on processors."""

    wall: float
    p95: float
    cpu: float


def servers_of(count: int) -> list[Server]:
    """So many servers."""
    made = []
    for number in range(count):
        _token, prefix, hashed = secrets.new("pma")
        name = f"srv-{number:04}"
        made.append(Server(agent_id=name, hostname=name, state="up", token_prefix=prefix, token_hash=hashed))
    return Server.objects.bulk_create(made)


def report(servers: list[Server]) -> None:
    """Give each a newest report, and services."""
    now, tables = timezone.now(), []
    for seed in range(KINDS):
        tables.append(proctable.pack(list(islice(Recording(TYPICAL, seed=seed), 2))[1]))
    rows = [
        Newest(server=server, received_at=now, sampled_at=now, procs_total=500, procs=tables[number % KINDS])
        for number, server in enumerate(servers)
    ]
    Newest.objects.bulk_create(rows, batch_size=200)
    Service.objects.bulk_create(
        (
            Service(server=server, name=f"unit-{place}.service", active_state="active", main_pid=1000 + place)
            for server in servers
            for place in range(SERVICES)
        ),
        batch_size=5000,
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def remember(servers: list[Server], start: datetime, hours: int) -> float:
    """Give each so many compacted hours; bytes of an hour."""
    partitions.make(history.LEVELS[history.CHUNKS], start, start + hours * HOUR)
    sizes = []
    for kind in range(min(KINDS // 4, len(servers))):
        tables = islice(Recording(TYPICAL, seed=kind), 360)
        packed = [proctable.table_of(table) for table in tables]
        for hour in range(hours):  # the same minutes each hour, on their own times
            begin = start + hour * HOUR
            samples = [Sample(begin + n * STEP, n * 10.0, 500, table) for n, table in enumerate(packed)]
            data = write.encode(samples)
            sizes.append(len(data))
            mine = servers[kind :: KINDS // 4]
            with connection.cursor() as cursor:
                last = begin + 359 * STEP
                cursor.executemany(INSERT, [[server.pk, begin, begin, last, data] for server in mine])
    return statistics.mean(sizes)


def cost(run: Callable[[], object], times: int = TIMES) -> Cost:
    """Of a few runs; the least CPU, as what else the machine does only adds to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        served_by = psutil.Process(cursor.fetchone()[0])
    walls, cpus = [], []
    for _ in range(times):
        wall, python, postgres = time.perf_counter(), time.process_time(), sum(served_by.cpu_times()[:2])
        run()
        cpus.append(1000 * (time.process_time() - python + sum(served_by.cpu_times()[:2]) - postgres))
        walls.append(1000 * (time.perf_counter() - wall))
    return Cost(statistics.median(walls), sorted(walls)[int(0.95 * len(walls))], min(cpus))


def most_memory(run: Callable[[], object]) -> float:
    """The most that Python's objects take while it runs, beyond those there were, in MB."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def search_now(ids: list[int], words: str) -> process_search.Gathered:
    """As the page does."""
    gathered, wanted = process_search.Gathered(process_search.by_cpu, 500), parse(words)
    process_search.now(ids, wanted, process_search.services(ids, wanted), gathered)
    assert len(gathered.hits) <= gathered.total  # those that are shown are made, too
    return gathered


def unpack_now(ids: list[int]) -> None:
    """The least one can do who looks at all tables: fetch them, unpack them."""
    for first in range(0, len(ids), process_search.AT_ONCE):
        for _at, data in process_search._packed(ids[first : first + process_search.AT_ONCE]).values():
            proctable.decompressed(data[1:])


def search_past(ids: list[int], words: str, start: datetime, end: datetime) -> int:
    """As the page does, all parts."""
    wanted = parse(words)
    return sum(len(process_lives.lives(server_id, wanted, start, end)) for server_id in ids)


def unpack_past(ids: list[int]) -> None:
    """Fetch the chunks, unpack their identities."""
    for server_id in ids:
        for (data,) in fetched_as_bytes(f"SELECT data FROM {history.CHUNKS} WHERE server_id = %s", [server_id]):  # noqa: S608
            Chunk(data)


def line(words: str, found: int, took: Cost, floor: Cost) -> None:
    """One search."""
    print(f"{words:24}{found:9,}{took.wall:10.0f}{took.p95:10.0f}{took.cpu:10.0f}{took.cpu / floor.cpu:9.1f}")


def main() -> None:
    """Fill, search, say how it stands with the budget."""
    given = [int(word) for word in sys.argv[1:]]
    count, past_count, hours = given + [2000, 50, 24][len(given) :]
    servers = servers_of(count)
    report(servers)
    ids = [server.pk for server in servers]
    web.keep_start()
    print(
        f"{'now, of ' + format(500 * count, ','):24}{'found':>9}{'wall ms':>10}{'95 %':>10}{'CPU ms':>10}{'/ floor':>9}"
    )
    floor, costs = cost(partial(unpack_now, ids)), {}
    line("fetch and unpack all", 0, floor, floor)
    for words in NOW_WORDS:
        costs[words] = cost(partial(search_now, ids, words))
        line(words, search_now(ids, words).total, costs[words], floor)
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - hours * HOUR
    size = remember(servers[:past_count], start, hours)
    ids, end = ids[:past_count], start + hours * HOUR
    print(f"\n{hours} h of {past_count} servers, {size / 1000:.0f} kB an hour")
    past_floor, past_costs = cost(partial(unpack_past, ids), 2), {}
    line("fetch all, unpack heads", 0, past_floor, past_floor)
    for words in PAST_WORDS:
        past_costs[words] = cost(partial(search_past, ids, words, start, end), 1)
        line(words, search_past(ids, words, start, end), past_costs[words], past_floor)
    print(f"memory for that at most: {most_memory(partial(search_past, ids[:FEW], PAST_WORDS[-1], start, end)):.1f} MB")
    rare = max(costs[words].cpu for words in NOW_WORDS[:3])
    close(
        Budget(f"a rare process among {500 * count:,}, CPU", rare, 300, "ms"),
        Budget(
            f"any process of a day, {past_count} servers, CPU", max(c.cpu for c in past_costs.values()) / 1000, 10, "s"
        ),
    )


if __name__ == "__main__":
    main()
