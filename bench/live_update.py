"""From a report to the pages that show it: how long, how many bytes, at what cost, beside a bare echo.

    python bench/live_update.py [--sockets 50] [--reports 30]

A real web process; pages that watch one server of 500 processes, then dashboards of 40 rows each; real reports
posted. The floor is a bare Channels application that sends the very same messages to as many sockets; each
of its turns follows one of ours. Times run from before the report is posted to the last byte of its last message.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import own_hub
from bench.budgets import Budget, close
from bench.machine import BUSY, TYPICAL, Change, Machine
from bench.pages_open import Came, PagesOpen

own_hub.begin()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402

from pmonitor import secrets  # noqa: E402
from servers import partitions  # noqa: E402
from servers.models import Server  # noqa: E402

ROWS = 40
PAUSE_SEC = {"server page": 1.05, "dashboard": 0.1}  # a topic is updated at most once a second


class Run(NamedTuple):
    """What one kind of page came to: seconds of each update at each socket, bytes of each update, CPU ms of each."""

    name: str
    ours: list[float]
    floor: list[float]
    sizes: list[int]
    cpu_ours: float
    cpu_floor: float


class Reporting:
    """Machines and their agents' calls to the hub."""

    def __init__(self, port: int, count: int, change: Change) -> None:
        self.session, self.port, self.turn = requests.Session(), port, 0
        self.machines, self.tokens, self.servers = [], [], []
        for number in range(count):
            token, prefix, hashed = secrets.new("pma")
            name = f"bench-{Server.objects.count()}"
            self.servers.append(
                Server.objects.create(agent_id=name, hostname=name, token_prefix=prefix, token_hash=hashed)
            )
            self.tokens.append(token)
            self.machines.append(Machine(name, change, seed=number))

    def next(self) -> float:
        """Post the next machine's next report; when that began."""
        place = self.turn % len(self.machines)
        machine, self.turn = self.machines[place], self.turn + 1
        body = machine.report()
        headers = {"X-Agent-Token": self.tokens[place], "Content-Encoding": "gzip", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/api/agents/{machine.agent_id}/metrics"
        began = time.perf_counter()
        answer = self.session.post(url, data=body, headers=headers, timeout=20)
        assert answer.status_code == 202, answer.text
        return began


def topics(name: str, servers: list[Server]) -> str:
    """What such a page says first; it shows nothing yet."""
    kind = "server" if name == "server page" else "row"
    return json.dumps({"watch": {f"{kind}:{server.pk}": "" for server in servers}})


def measure(name: str, hub: own_hub.Process, floor: own_hub.Process, sockets: int, reports: int, change: Change) -> Run:
    """Reports without pages, for their own cost; then with pages, in turns with the floor."""
    reporting = Reporting(hub.port, 1 if name == "server page" else ROWS, change)
    for _ in range(len(reporting.machines) + 5):
        reporting.next()
    before = hub.cpu_ms()
    for _ in range(reports):
        reporting.next()
    alone = (hub.cpu_ms() - before) / reports
    with PagesOpen(hub.port, sockets, cookie()) as pages, PagesOpen(floor.port, sockets) as echoes:
        opened(pages, topics(name, reporting.servers))
        return turns(name, reporting, pages, echoes, (hub, floor), reports, alone)


def opened(pages: PagesOpen, said: str) -> None:
    """Let one page open, then one more, then all the others at once, and say how long each took."""
    rest = range(2, pages.count)
    for word, which in (("first", [0]), ("second", [1]), (f"{len(rest)} more at once", rest)):
        began = time.perf_counter()
        pages.say(said, which)
        pages.answered(which, 1)
        print(f"  opened: {word:18} {1000 * (time.perf_counter() - began):8.1f} ms until shown")
    pages.taken()


def turns(
    name: str,
    reporting: Reporting,
    pages: PagesOpen,
    echoes: PagesOpen,
    processes: tuple[own_hub.Process, own_hub.Process],
    reports: int,
    alone: float,
) -> Run:
    """A report, then what it led to by the floor; as many times."""
    hub, floor = processes
    ours: list[float] = []
    theirs: list[float] = []
    sizes, spent = [], [hub.cpu_ms(), floor.cpu_ms()]
    for _ in range(reports):
        time.sleep(PAUSE_SEC[name])
        began = reporting.next()
        came = pages.taken()
        ours += took(began, came)
        texts = [message.text for message in came[0]]
        sizes.append(sum(len(text.encode()) for text in texts))
        began = time.perf_counter()
        reporting.session.post(f"http://127.0.0.1:{floor.port}/", json=texts, timeout=20)
        theirs += took(began, echoes.taken())
    cpu = (hub.cpu_ms() - spent[0]) / reports, (floor.cpu_ms() - spent[1]) / reports
    return Run(name, ours, theirs, sizes, cpu[0] - alone, cpu[1])


def took(began: float, came: list[list[Came]]) -> list[float]:
    """Milliseconds until each socket had its last message."""
    return [1000 * (messages[-1].at - began) for messages in came]


def cookie() -> str:
    """A signed-in browser's."""
    browser = Client()
    browser.force_login(User.objects.get_or_create(username="bench", is_superuser=True)[0])
    return f"sessionid={browser.cookies['sessionid'].value}"


def p95(values: list[float]) -> float:
    """The value 95 of 100 do not pass."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


def show(run: Run) -> None:
    """Three lines: ours, the floor, the ratios."""
    print(f"  {'':10}{'p50':>10}{'p95':>10}{'CPU an update':>16}")
    mine = statistics.median(run.ours), p95(run.ours), run.cpu_ours
    bare = statistics.median(run.floor), p95(run.floor), run.cpu_floor
    for word, row in (("ours", mine), ("bare echo", bare)):
        print(f"  {word:10}" + "".join(f"{value:{width}.1f} ms" for value, width in zip(row, (7, 7, 13), strict=True)))
    ratios = [first / max(second, 0.001) for first, second in zip(mine, bare, strict=True)]
    print(f"  {'ratio':10}" + "".join(f"{ratio:{width}.1f}" for ratio, width in zip(ratios, (10, 10, 16), strict=True)))
    print(f"  bytes of an update, all its messages: {statistics.median(run.sizes):,.0f} (at most {max(run.sizes):,})")


def main() -> None:
    """Measure all, say how it stands with the budget."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sockets", type=int, default=50)
    arguments.add_argument("--reports", type=int, default=30)
    given = arguments.parse_args()
    partitions.keep()
    port = own_hub.free_port()
    bare = own_hub.bare("bench.floor.echo:application", port)
    runs = []
    with own_hub.web() as hub, own_hub.running(bare, port) as floor:
        for name, change, word in (
            ("server page", TYPICAL, "typical change"),
            ("server page", BUSY, "busy"),
            ("dashboard", TYPICAL, f"{ROWS} rows"),
        ):
            print(f"{given.sockets} open pages: {name}, {word}")
            runs.append(measure(name, hub, floor, given.sockets, given.reports, change))
            show(runs[-1])
    typical, _, rows = runs
    close(
        Budget("report to server page, p95", p95(typical.ours), 150, "ms"),
        Budget("bytes of an update, typical", statistics.median(typical.sizes) / 1000, 8, "KB"),
        Budget("report to dashboard row, p95", p95(rows.ours), 150, "ms"),
        Budget("bytes of a row's update", statistics.median(rows.sizes) / 1000, 8, "KB"),
    )


if __name__ == "__main__":
    main()
