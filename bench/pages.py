"""What the pages of a fleet of 2,000 servers cost the hub and weigh, beside an empty page through the same middlewares.

    python bench/pages.py [--servers 2000] [--times 20] [--plans]

Each page is asked for in turns with the empty one, in this process, through every middleware: no network, no web
server. 200 servers have an hour of readings each 10 s, one of them 500 processes and 300 commands behind it. With
--plans PostgreSQL explains the queries of dashboard and server page that took it longest.
"""

from __future__ import annotations

import argparse
import gzip
import re
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.machine import TYPICAL, Machine

own_hub.begin()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.contrib.staticfiles import finders  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from actions import lifecycle, wire  # noqa: E402
from actions.models import Command  # noqa: E402
from bench import seed  # noqa: E402
from servers import bodies, ingest, partitions  # noqa: E402
from servers.models import Scope, Server, ServerGroup  # noqa: E402

WITH_HISTORY, COMMANDS = 200, 300
SLOW_QUERIES = 4  # explained for each page
HISTORY = seed.HISTORY.replace("1 minute", "10 seconds")
RESULT = wire.Result(outcome="done", exit_code=0, output="x\n" * 20)
LINKED = re.compile(r'(?:src|href)="/static/([^"?]+\.(?:js|css))')


class Cost(NamedTuple):
    """Of one page: milliseconds at the hub, how many queries, bytes raw and gzipped."""

    name: str
    ms: float
    queries: int
    raw: int
    packed: int


def fill(count: int) -> tuple[Server, Command]:
    """Make the fleet; returns the server with the most to show, and one of its commands."""
    partitions.keep()
    servers, now = seed.seed(count), timezone.now()
    busy = servers[1]
    with connection.cursor() as cursor:
        kept = [server.pk for server in servers[1 : 1 + WITH_HISTORY]]
        cursor.execute(HISTORY, [now - timedelta(hours=1), now, kept])
    machine = Machine(busy.agent_id, TYPICAL)
    for _ in range(2):
        ingest.store(busy, bodies.report(machine.report(), "gzip"), timezone.now(), "127.0.0.1")
    command = [done(busy) for _ in range(COMMANDS)][-1]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return busy, command


def done(server: Server) -> Command:
    """A command that went its whole way."""
    command = lifecycle.queue(server=server, cmd="restart", target="nginx.service", actor=lifecycle.HUB)
    lifecycle.claim(server)
    lifecycle.acknowledge(server, command.uuid)
    lifecycle.finish(server, command.uuid, RESULT)
    return command


def operator(kind: str) -> Client:
    """A signed-in operator who sees every server, by every group for the longer query."""
    user = User.objects.create_user(kind, password=None)
    user.groups.add(Group.objects.get(name="operator"))
    Scope.objects.create(user=user).groups.set(ServerGroup.objects.all())
    browser = Client(headers={"Accept-Encoding": "gzip", "Host": "localhost"})
    browser.force_login(user)
    return browser


def ask(browser: Client, url: str, headers: dict[str, str]) -> bytes:
    """The page's bytes, gzipped."""
    answer = browser.get(url, headers=headers)
    assert answer.status_code == 200, (url, answer.status_code)
    assert answer["Content-Encoding"] == "gzip", url
    return answer.content


def cost(browser: Client, name: str, url: str, times: int, headers: dict[str, str]) -> tuple[Cost, float]:
    """A page's cost, and what the empty one took in between."""
    packed = ask(browser, url, headers)
    with CaptureQueriesContext(connection) as queries:
        ask(browser, url, headers)
        count = len(queries)  # the next request empties the log
    ours: list[float] = []
    floor: list[float] = []
    for _ in range(times):
        for taken, asked in ((ours, url), (floor, "/empty/")):
            began = time.perf_counter()
            ask(browser, asked, headers)
            taken.append(1000 * (time.perf_counter() - began))
    made = Cost(name, statistics.median(ours), count, len(gzip.decompress(packed)), len(packed))
    return made, statistics.median(floor)


def linked(page: bytes) -> tuple[int, int]:
    """Bytes of the page's style sheets and scripts, raw and as gzip makes them."""
    names = set(LINKED.findall(page.decode()))
    names |= {name for script in names for name in imported(script)}
    texts = [Path(str(finders.find(name))).read_bytes() for name in sorted(names)]
    return sum(map(len, texts)), sum(len(gzip.compress(text)) for text in texts)


def imported(script: str) -> set[str]:
    """The modules a script of ours imports."""
    found = finders.find(script)
    assert found, script
    return set(re.findall(r"from '\./([^']+)'", Path(str(found)).read_text()))


def show(costs: list[tuple[Cost, float]]) -> None:
    """One line a page."""
    print(f"{'':26}{'ms':>7}{'/ empty':>9}{'queries':>9}{'bytes':>11}{'gzipped':>10}")
    for page, floor in costs:
        ratio = page.ms / floor
        print(f"{page.name:26}{page.ms:7.1f}{ratio:9.1f}{page.queries:9}{page.raw:11,}{page.packed:10,}")
    print(f"{'empty page':26}{statistics.median(floor for _, floor in costs):7.1f}{1.0:9.1f}")


def explain(browser: Client, name: str, url: str) -> None:
    """Print the plans of the page's slowest queries."""
    with CaptureQueriesContext(connection) as queries:
        ask(browser, url, {})
    asked = [(took(query["sql"]), query["sql"]) for query in queries if query["sql"].startswith("SELECT")]
    for (milliseconds, plan), sql in sorted(asked, key=lambda one: -one[0][0])[:SLOW_QUERIES]:
        print(f"\n{name}: {milliseconds:.1f} ms of {sum(one[0][0] for one in asked):.1f} in all: {sql[:300]}\n{plan}")


def took(sql: str) -> tuple[float, str]:
    """Milliseconds of planning and running a query, and its plan."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        told: Any = cursor.fetchone()[0][0]
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    return told["Planning Time"] + told["Execution Time"], plan


def main() -> None:
    """Fill, measure, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--servers", type=int, default=2000)
    arguments.add_argument("--times", type=int, default=20)
    arguments.add_argument("--plans", action="store_true")
    given = arguments.parse_args()
    settings.ROOT_URLCONF = "bench.floor.urls"
    busy, command = fill(given.servers)
    browser, more = operator("bench"), {"HX-Request": "true"}
    pages: list[tuple[str, str, dict[str, str]]] = [
        (f"dashboard, {given.servers:,} servers", "/", {}),
        ("its next rows", "/?from=40", more),
        ("server, 500 processes", f"/servers/{busy.agent_id}/", {}),
        ("command", f"/commands/{command.uuid}/", {}),
        ("audit", "/audit/", {}),
    ]
    costs = [cost(browser, name, url, given.times, headers) for name, url, headers in pages]
    show(costs)
    raw, packed = linked(gzip.decompress(ask(browser, "/", {})))
    print(f"{'dashboard with css and js':26}{'':25}{costs[0][0].raw + raw:11,}{costs[0][0].packed + packed:10,}")
    raw_all, packed_all = linked(b"".join(gzip.decompress(ask(browser, url, {})) for _, url, _ in pages))
    print(f"{'css and js of all pages':26}{'':25}{raw_all:11,}{packed_all:10,}")
    if given.plans:
        for name, url, _headers in (pages[0], pages[2]):
            explain(browser, name, url)
    close(
        Budget("first paint of the fleet, at the hub", costs[0][0].ms, 300, "ms"),
        Budget("first paint, gzipped, css and js included", (costs[0][0].packed + packed) / 1000, 200, "KB"),
    )


if __name__ == "__main__":
    main()
