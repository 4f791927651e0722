"""What evaluating alert rules costs: 200 rules over 2,000 servers, a round after each report of all of them.

    python bench/alerts.py [--servers 2000] [--rules 200] [--rounds 20] [--plan]

CPU of the worker's step and of its PostgreSQL process together, beside the floor: a bare SELECT of the newest rows.
Three ways: all is well; one server in twenty is over some limits; and all are over one limit at once and well again.
With --plan PostgreSQL explains the statement that finds readings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close

own_hub.begin()

from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from alerts.evaluate import rounds  # noqa: E402
from alerts.models import Incident, Rule, Standing  # noqa: E402
from alerts.rules import kinds  # noqa: E402
from pmonitor import secrets  # noqa: E402
from servers import download, history, partitions  # noqa: E402
from servers.models import Server  # noqa: E402

STEP = timedelta(seconds=10)
OTHERS = [kinds.SILENT, kinds.REBOOTED, kinds.SKEW, kinds.OUTDATED, kinds.COMMAND_FAILED]
SCOPES = ["", "env=prod", "env=stage", "site=buh", "site=fra", "srv-1*", "srv-2*", "env=prod site=buh", "srv-?5?"]


def _about(name: str) -> str:
    """A reading as it is while all is well."""
    return "100" if "total" in name else "40 + 10 * random()" if name != "load1" else "2 * random()"


NEWEST = """INSERT INTO servers_newest (server_id, received_at, sampled_at, interval_sec, seq, recent_ts, cpu,
    procs_total, top_name, readings, facts, procs, uptime_sec, skews)
SELECT id, %(at)s, %(at)s, 10, 1, '[]', 50, 500, '', '{}', %(facts)s::jsonb,
    decode(repeat('ab', 9000), 'hex'), 864000, '[0.1, 0.2, 0.3]'
FROM servers_server"""
HISTORY = f"""INSERT INTO {history.HOST_READINGS} (server_id, sampled_at, ts, {", ".join(history.READINGS)})
SELECT id, at, extract(epoch FROM at), 180, {", ".join(map(_about, history.READINGS[1:]))}
FROM servers_server, generate_series(%(start)s::timestamptz, %(end)s::timestamptz, interval '10 seconds') at"""  # noqa: S608  names of our own
TOLD = """UPDATE servers_newest SET sampled_at = %(at)s, received_at = %(at)s, seq = seq + 1"""
OVER = f"UPDATE {history.HOST_READINGS} SET cpu = %(cpu)s WHERE sampled_at = %(at)s AND server_id %% %(each)s = 0"  # noqa: S608


class Fleet:
    """Servers that report all at once, at moments of its own."""

    def __init__(self, count: int) -> None:
        self.at = timezone.now() - timedelta(minutes=40)
        Server.objects.bulk_create(_server(number) for number in range(count))
        partitions.keep()
        with connection.cursor() as cursor:
            facts = {"cpuCount": 8, "version": download.agent_version(), "hostname": "x"}
            cursor.execute(NEWEST, {"at": self.at, "facts": json.dumps(facts)})
            cursor.execute(HISTORY, {"start": self.at - timedelta(minutes=20), "end": self.at})
            cursor.execute("VACUUM ANALYZE")

    def report(self, cpu: float = 45, each: int = 1) -> None:
        """All report; of every so manieth server with this CPU."""
        self.at += STEP
        with connection.cursor() as cursor:
            cursor.execute(HISTORY, {"start": self.at, "end": self.at})
            cursor.execute(OVER, {"cpu": cpu, "at": self.at, "each": each})
            cursor.execute(TOLD, {"at": self.at})

    def evaluate(self) -> None:
        """A round at that moment."""
        rounds.evaluate(lambda: self.at)


def _server(number: int) -> Server:
    _token, prefix, hashed = secrets.new("pma")
    labels = {"env": "prod" if number % 4 else "stage", "site": ("buh", "fra", "clj")[number % 3]}
    name = f"srv-{number:04}"
    return Server(agent_id=name, hostname=name, state="up", labels=labels, token_prefix=prefix, token_hash=hashed)


def make_rules(count: int) -> None:
    """Three of four about readings, each metric in turn; the others of the other kinds."""
    metrics = list(kinds.READINGS)
    rules = []
    for number in range(count):
        about = {"name": f"rule {number}", "severity": "warning", "made_at": timezone.now()}
        scope = SCOPES[number % len(SCOPES)]
        if number % 4:
            metric = metrics[number % len(metrics)]
            params = {"metric": metric, "below": number % 5 == 0}
            limit = -1 if number % 5 == 0 else 90 + number % 10 if metric != "procs" else 1e6
            rule = Rule(kind=kinds.READING, params=params, limit=limit, for_sec=60, scope=scope, **about)
        else:
            kind = OTHERS[number // 4 % len(OTHERS)]
            rule = Rule(kind=kind, limit=kinds.KINDS[kind].usual, scope=scope, **about)
        rules.append(rule)
    Rule.objects.bulk_create(rules)


def cpu_ms() -> float:
    """Of this process and of its PostgreSQL one so far."""
    backend = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return 1000 * (time.process_time() + backend.user + backend.system)


def took(what: Callable[[], object], times: int, before: Callable[[], object] = lambda: None) -> tuple[float, float]:
    """Milliseconds of CPU each, on the average (PostgreSQL's are counted in hundredths of seconds), and as it took."""
    spent, walls = 0.0, []
    for _ in range(times):
        before()
        cpu, wall = cpu_ms(), time.perf_counter()
        what()
        walls.append(1000 * (time.perf_counter() - wall))
        spent += cpu_ms() - cpu
    return spent / times, statistics.median(walls)


def newest() -> None:
    """The floor: what every rule needs to be read at all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT server_id, sampled_at, cpu, mem_used_mb, mem_total_mb, load1 FROM servers_newest")
        cursor.fetchall()


def storm(fleet: Fleet) -> tuple[float, float]:
    """Milliseconds of CPU of the round in which every server is over a limit, and of that in which all are well."""
    Rule.objects.filter(name="storm").delete()
    about = {"severity": "critical", "made_at": timezone.now(), "limit": 99.5, "params": {"metric": "cpu"}}
    Rule.objects.create(name="storm", kind=kinds.READING, **about)
    fleet.report()
    fleet.evaluate()
    fleet.report(100)
    down, _wall = took(fleet.evaluate, 1)
    assert Incident.objects.live().filter(rule__name="storm").count() >= Server.objects.count()
    fleet.report()
    up, _wall = took(fleet.evaluate, 1)
    return down, up


def explain(fleet: Fleet) -> None:
    """Print the plan of the statement that finds readings."""
    fleet.report()
    with CaptureQueriesContext(connection) as queries:
        fleet.evaluate()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {max((query['sql'] for query in queries), key=len)}")
        print("\n".join(line for (line,) in cursor.fetchall()))


def main() -> None:
    """Fill, evaluate, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=2000)
    arguments.add_argument("--rules", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--plan", action="store_true")
    given = arguments.parse_args()
    began, fleet = time.monotonic(), Fleet(given.servers)
    make_rules(given.rules)
    fleet.evaluate()
    print(f"{given.rules} rules of {len(OTHERS) + 1} kinds, {given.servers} servers, filled in "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    if given.plan:
        explain(fleet)
    floor, _wall = took(newest, given.rounds)
    well, wall = took(fleet.evaluate, given.rounds, fleet.report)
    assert not Standing.objects.exists()
    some, some_wall = took(fleet.evaluate, given.rounds, lambda: fleet.report(100, 20))
    standing, live = Standing.objects.count(), Incident.objects.live().count()
    down, up = storm(fleet)
    print(f"{'CPU of a round, worker and PostgreSQL':52}{'ms':>8}{'as floors':>11}{'took ms':>9}")
    print(f"{'floor: SELECT of the newest rows':52}{floor:8.1f}{1:11.1f}")
    print(f"{'all is well':52}{well:8.1f}{well / floor:11.1f}{wall:9.1f}")
    print(f"{f'{standing} stand, {live} incidents are live':52}{some:8.1f}{some / floor:11.1f}{some_wall:9.1f}")
    print(f"{'every server goes over a limit at once':52}{down:8.1f}{down / floor:11.1f}")
    print(f"{'and is well again':52}{up:8.1f}{up / floor:11.1f}")
    close(Budget(f"a round of {given.rules} rules, {given.servers} servers", well, 1000, "ms"))


if __name__ == "__main__":
    main()
