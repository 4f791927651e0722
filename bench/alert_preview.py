"""What a rule would have made of seven days of 50 servers: how long the preview in a rule's editor takes.

    python bench/alert_preview.py [--servers 50] [--days 7]

Raw readings of the last two days, minutes and hours of all. Beside the floor, reading as many minutes: a rule that
never fires, one that does now and then, and one that is over all the time, of which hours must do. And rules on three
filesystems of each server, beside reading all of their points, and on clocks that are off on one server in five.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close

own_hub.begin()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from alerts.evaluate.replay import replay  # noqa: E402
from alerts.models import Rule  # noqa: E402
from pmonitor import secrets  # noqa: E402
from servers import history, partitions  # noqa: E402
from servers.history import DISKS, HOST_HOURS, HOST_MINUTES, HOST_READINGS  # noqa: E402
from servers.models import Newest, Server  # noqa: E402

# One hour in forty or so is busy.
CPU = "CASE WHEN (id * 7 + extract(epoch FROM at)::bigint / 3600) %% 40 = 0 THEN 88 ELSE 30 END + 5 * random()"
RAW = f"""INSERT INTO {HOST_READINGS} (server_id, sampled_at, ts, procs_total, cpu)
SELECT id, at, extract(epoch FROM at) - 0.1 * random() - CASE WHEN id %% 5 = 0
    AND extract(epoch FROM at)::bigint %% 20000 < 3000 THEN 9 ELSE 0 END, 180, {CPU} FROM servers_server,
    generate_series(%s::timestamptz, %s::timestamptz, interval '10 seconds') at"""  # noqa: S608
MINUTES = f"""INSERT INTO {HOST_MINUTES} (server_id, at, samples, cpu_avg, cpu_min, cpu_max, cpu_n)
SELECT id, at, 6, cpu, cpu - 1, cpu + 1, 6 FROM (SELECT id, at, {CPU} AS cpu FROM servers_server,
    generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') at) AS told"""  # noqa: S608
HOURS = f"""INSERT INTO {HOST_HOURS} (server_id, at, samples, cpu_avg, cpu_min, cpu_max, cpu_n)
SELECT server_id, date_trunc('hour', at), 360, avg(cpu_avg), min(cpu_min), max(cpu_max), 360
FROM {HOST_MINUTES} GROUP BY 1, 2"""  # noqa: S608
# They fill by a fifth of their size a day, and are emptied then.
FILESYSTEMS = f"""INSERT INTO {DISKS} SELECT id, mount, at, 5e5 + 200 * random()
    + 2e5 * mod(extract(epoch FROM at) / 86400 + id * 0.37, 1), 1e6 FROM servers_server,
    unnest(ARRAY['/', '/var', '/home']) AS mount,
    generate_series(%s::timestamptz, %s::timestamptz, interval '5 minutes') at"""  # noqa: S608
POINTS = f"SELECT server_id, mount, at, used_mb, total_mb FROM {DISKS} WHERE at >= %s"  # noqa: S608
OTHERS = {  # what, how the rule differs, seconds it may take
    "disk used, never": ({"kind": "disk_used", "limit": 99}, 1),
    "disk used, once a day": ({"kind": "disk_used", "limit": 65}, 1.5),
    "disk full within 3 h, never": ({"kind": "disk_filling", "limit": 3}, 3),
    "disk full within a year, always": ({"kind": "disk_filling", "limit": 8760}, 3),
    "clock off on one in five": ({"kind": "clock_skew", "limit": 5}, 2),
}
FLOOR = f"SELECT server_id, at, cpu_avg FROM {HOST_MINUTES} WHERE at >= %s"  # noqa: S608


def fill(count: int, start: datetime, end: datetime) -> list[int]:
    """Servers with a past; their numbers."""
    made = []
    for number in range(count):
        _token, prefix, hashed = secrets.new("pma")
        name = f"srv-{number:03}"
        made.append(Server(agent_id=name, hostname=name, token_prefix=prefix, token_hash=hashed))
    Server.objects.bulk_create(made)
    Newest.objects.bulk_create(Newest(server=server, received_at=end, sampled_at=end, skews=[0.1]) for server in made)
    for table in (HOST_MINUTES, HOST_HOURS, DISKS):
        partitions.make(history.LEVELS[table], start, end)
    partitions.make(history.LEVELS[HOST_READINGS], end - timedelta(days=2), end)
    with connection.cursor() as cursor:
        cursor.execute(RAW, [end - timedelta(days=2), end])
        cursor.execute(MINUTES, [start, end - timedelta(minutes=1)])
        cursor.execute(HOURS)
        cursor.execute(FILESYSTEMS, [start, end])
        for level in (HOST_MINUTES, HOST_HOURS):
            cursor.execute("INSERT INTO servers_rolledup VALUES (%s, %s) ON CONFLICT (level) DO UPDATE"
                           " SET until = excluded.until", [level, end])  # fmt: skip
        cursor.execute("VACUUM ANALYZE")
    return [server.pk for server in made]


def took(rule: Rule, servers: list[int], start: datetime, end: datetime) -> tuple[float, int]:
    """Seconds, and how many incidents there would have been."""
    walls, count = [], 0
    for _ in range(3):
        began = time.perf_counter()
        count = len(replay(rule, servers, start, end) or [])
        walls.append(time.perf_counter() - began)
    return statistics.median(walls), count


def floor_of(statement: str, start: datetime) -> float:
    """Seconds that it takes to read all rows."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(statement, [start])
        cursor.fetchall()
    return time.perf_counter() - began


def main() -> None:
    """Fill, replay, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=50)
    arguments.add_argument("--days", type=int, default=7)
    given = arguments.parse_args()
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=given.days)
    servers = fill(given.servers, start, end)
    floor, points = floor_of(FLOOR, start), floor_of(POINTS, start)
    print(f"{given.days} days of {given.servers} servers{'s':>26}{'as floors':>11}{'incidents':>11}")
    print(f"{'floor: SELECT of all minutes':40}{floor:10.2f}{1:11.1f}")
    walls = {}
    for what, limit in {"a rule that never fires": 99, "one hour in forty": 90, "over nearly all the time": 31}.items():
        rule = Rule(kind="reading", params={"metric": "cpu"}, limit=limit, for_sec=300)
        walls[what], count = took(rule, servers, start, end)
        print(f"{what:40}{walls[what]:10.2f}{walls[what] / floor:11.1f}{count:11}")
    print(f"{'floor: SELECT of all points of disks':40}{points:10.2f}{1:11.1f}")
    others = []
    for what, (about, most) in OTHERS.items():
        wall, count = took(Rule(**{"params": {}, "for_sec": 1800, **about}), servers, start, end)
        print(f"{what:40}{wall:10.2f}{wall / points:11.1f}{count:11}")
        others.append(Budget(f"preview of {what}", wall, most, "s"))
    close(*others, *(Budget(f"preview of {what}", seconds, 2, "s") for what, seconds in walls.items()))


if __name__ == "__main__":
    main()
