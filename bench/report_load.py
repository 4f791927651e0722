"""Many agents with 500 processes each that report every 10 s and wait for commands: what the hub's CPU does for it.

    python bench/report_load.py [--agents 1000] [--seconds 30 | --minutes 10] [--webs 1] [--viewers 0] [--whole]

Real web processes and PostgreSQL, Redis between several; half of the viewers look at a server's page, half at a fleet
of 40 rows; the agents are another process (report_sender.py), which sends at a fixed rate and
counts latencies from the moment a report was due; its own CPU is told apart. Then the same reports go to the floor, a
bare ASGI application that copies their bytes into a bare table (floor/gathered.py), on the same PostgreSQL. CPU is
that of whole processes over the whole time, the long-polls' share included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.pages_open import PagesOpen
from bench.report_sender import EVERY_SEC, Outcome, Task

own_hub.begin()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from pmonitor import secrets  # noqa: E402
from servers import partitions  # noqa: E402
from servers.models import Server  # noqa: E402

SENDER = Path(__file__).with_name("report_sender.py")
TABLE = "bench_floor"
ROWS = 40  # of a fleet's page that are on the screen


class Spent(NamedTuple):
    """CPU milliseconds so far."""

    web: float
    postgres: float
    machine: float  # everything that ran on it, idle time left out
    at: float  # the moment


class Run(NamedTuple):
    """What one load came to."""

    outcome: Outcome
    web_ms: float  # CPU for one report
    postgres_ms: float
    rss_mb: float
    busy: float  # of all cores, by whomever, 0 to 1

    @property
    def both_ms(self) -> float:
        """CPU milliseconds of the hub for one report."""
        return self.web_ms + self.postgres_ms


class Postgres:
    """The CPU of the server behind Django's connection, of all its processes, those that ended too."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.main = psutil.Process(cursor.fetchone()[0]).parent()
        assert self.main is not None

    def cpu_ms(self) -> float:
        """So far."""
        assert self.main is not None
        spent = sum(self.main.cpu_times()[:4])  # its own, and its ended children's
        for child in self.main.children():
            spent += sum(child.cpu_times()[:2])
        return 1000 * spent


def machine_ms() -> float:
    """What all processes of this machine used so far."""
    times = psutil.cpu_times()
    return 1000 * (times.user + times.nice + times.system + times.irq + times.softirq)


def load(webs: Sequence[own_hub.Process], postgres: Postgres, task: Task) -> Run:
    """Let the sender do its task, and see what that costs the others."""

    def spent() -> Spent:
        return Spent(sum(web.cpu_ms() for web in webs), postgres.cpu_ms(), machine_ms(), 1000 * time.monotonic())

    argv = [sys.executable, str(SENDER)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(msgspec.json.encode(task).decode() + "\n")
        sender.stdin.flush()
        said = {}
        for line in sender.stdout:
            said[line.strip()] = spent()
        outcome = msgspec.json.decode(line, type=Outcome)
    cost = [after - before for before, after in zip(said["begin"], said["end"], strict=True)]
    reports = max(1, outcome.taken)
    rss = sum(psutil.Process(web.pid).memory_info().rss for web in webs) / 1e6
    cores = os.cpu_count() or 1
    return Run(outcome, cost[0] / reports, cost[1] / reports, rss, cost[2] / cost[3] / cores)


def fleet(count: int) -> list[tuple[str, str]]:
    """So many servers, by their ids and tokens."""
    made = {f"bench-{number}": secrets.new("pma") for number in range(count)}
    Server.objects.bulk_create(
        Server(agent_id=name, hostname=name, token_prefix=prefix, token_hash=hashed)
        for name, (_token, prefix, hashed) in made.items()
    )
    return [(name, token) for name, (token, _prefix, _hashed) in made.items()]


@contextmanager
def hub(webs: int) -> Iterator[list[own_hub.Process]]:
    """So many web processes; of several, each hears of what the others stored by Redis."""
    with ExitStack() as stack:
        if webs > 1:
            port = own_hub.free_port()
            redis = ["redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--loglevel", "warning"]
            stack.enter_context(own_hub.running(redis, port))
            os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}"
        yield [stack.enter_context(own_hub.web()) for _ in range(webs)]


@contextmanager
def viewers(webs: Sequence[own_hub.Process], count: int) -> Iterator[None]:
    """So many open pages, the hub's processes taking turns."""
    browser = Client()
    browser.force_login(User.objects.get_or_create(username="bench", is_superuser=True)[0])
    cookie = f"sessionid={browser.cookies['sessionid'].value}"
    servers = list(Server.objects.order_by("pk").values_list("pk", flat=True)[: max(ROWS, count)])
    with ExitStack() as stack:
        for turn, web in enumerate(webs):
            numbers = range(turn, count, len(webs))
            pages = stack.enter_context(PagesOpen(web.port, len(numbers), cookie))
            for place, number in enumerate(numbers):
                shown = [f"server:{servers[number]}"] if number % 2 else [f"row:{server}" for server in servers[:ROWS]]
                pages.say(json.dumps({"watch": dict.fromkeys(shown, "")}), [place])
            pages.answered(range(len(numbers)), 1)
        yield


def show(ours: Run, floor: Run, task: Task) -> None:
    """Both beside each other, and how it was got."""
    agents, rate, lasted = len(task.agents), len(task.agents) / EVERY_SEC, task.rounds * EVERY_SEC
    print(f"{agents:,} agents, {rate:.0f} reports/s of 500 processes for {lasted:.0f} s, {agents:,} long-polls")
    print(f"{'':8}{'web':>9}{'PostgreSQL':>12}{'both':>9}{'p50':>10}{'p99':>10}{'most':>10}{'lost':>6}{'RSS':>9}")
    for name, run in (("ours", ours), ("floor", floor)):
        costs = f"{run.web_ms:6.2f} ms{run.postgres_ms:9.2f} ms{run.both_ms:6.2f} ms"
        waits = "".join(f"{value:7.0f} ms" for value in (run.outcome.p50, run.outcome.p99, run.outcome.most))
        print(f"{name:8}{costs}{waits}{run.outcome.lost:6}{run.rss_mb:6.0f} MB")
    print(f"ratio ours / floor, CPU of both: {ours.both_ms / floor.both_ms:.1f}")
    print(
        f"agents per core: {1000 * EVERY_SEC / ours.both_ms:,.0f}, at the floor {1000 * EVERY_SEC / floor.both_ms:,.0f}"
    )
    outcome = ours.outcome
    print(f"told whole {outcome.whole} of {outcome.taken + outcome.lost}, the others as changes")
    print(f"sent again {outcome.again}, refused {outcome.refused}, long-polls renewed {outcome.polls}")
    print(f"the sender's own CPU: {outcome.cpu_ms / max(1, outcome.taken):.2f} ms a report; the machine was "
          f"{100 * ours.busy:.0f} % busy, {100 * floor.busy:.0f} % in the floor's turn")  # fmt: skip


def main() -> None:
    """Measure both, print, and say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--agents", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--minutes", type=float, help="instead of seconds")
    arguments.add_argument("--webs", type=int, default=1, help="web processes; several need redis-server")
    arguments.add_argument("--viewers", type=int, default=0)
    arguments.add_argument("--whole", action="store_true", help="each report tells all, as those of old agents")
    given = arguments.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the hub's web process inherits it
    partitions.keep()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TABLE} (body bytea)")
        cursor.execute(f"ALTER TABLE {TABLE} ALTER COLUMN body SET STORAGE EXTERNAL")
    os.environ["BENCH_TABLE"] = TABLE
    postgres, agents = Postgres(), fleet(given.agents)
    rounds = max(1, round((60 * given.minutes if given.minutes else given.seconds) / EVERY_SEC))
    with hub(given.webs) as webs:
        task = Task([web.port for web in webs], agents, rounds, polls=True, whole=given.whole)
        with viewers(webs, given.viewers):
            ours = load(webs, postgres, task)
    port = own_hub.free_port()
    with own_hub.running(own_hub.bare("bench.floor.gathered:application", port), port) as bare:
        floor = load([bare], postgres, Task([port], agents, min(rounds, 3), polls=False, whole=given.whole))
    print(f"{given.webs} web processes, {given.viewers} viewers")
    show(ours, floor, task)
    close(
        Budget("hub CPU for a report of 500 processes", ours.both_ms, 2.0, "ms"),
        Budget("report due to answered after commit, p99", ours.outcome.p99, 500, "ms"),
        Budget("reports lost", ours.outcome.lost, 0, ""),
        Budget("the web processes' memory", ours.rss_mb, 1000, "MB"),
    )


if __name__ == "__main__":
    main()
