"""A server whose CPU rose: two quiet minutes, then two in which php-fpm came up; for page, API and browser tests."""

from __future__ import annotations

from datetime import datetime

from servers.models import Server
from servers.wire import Proc
from tests.servers.samples import proc
from tests.servers.travelling import BOOTED, SECOND, tell

STEP, SAMPLES = 10 * SECOND, 12  # of each stretch
LENGTH = SAMPLES * STEP
PAGE = "/servers/srv-web-01/explain/"
API = "/api/servers/srv-web-01/explain"


def ticks_at(moment: datetime) -> int:
    """The start ticks of a process that begins then."""
    return round((moment.timestamp() - BOOTED) * 100)


def quiet() -> list[Proc]:
    """Two workers and a cron that ends."""
    return [
        *(worker(pid, 5.0, 100.0, 1000 + pid) for pid in (31, 32)),
        proc(60, name="cron", cpu=4.0, mem_mb=20.0, start_ticks=60, cmdline="/usr/sbin/cron -f"),
    ]


def worker(pid: int, cpu: float, mem: float, ticks: int) -> Proc:
    return proc(pid, name="php-fpm", cpu=cpu, mem_mb=mem, start_ticks=ticks, cmdline="php-fpm: pool www")


def spike(server: Server, start: datetime, before: bool = True) -> None:
    """Of 8 cores 5 % in use before start, 40 % after it (240 % of them php-fpm's), from 2 workers to 6."""
    for number in range(SAMPLES if before else 0):
        tell(server, start - LENGTH + number * STEP, quiet(), cpu=5)
    new = ticks_at(start - 4 * SECOND)
    busy = [
        *(worker(pid, 50.0, 300.0, 1000 + pid) for pid in (31, 32)),
        *(worker(pid, 37.5, 250.0, new) for pid in range(40, 44)),
    ]
    for number in range(SAMPLES):
        tell(server, start + number * STEP, busy, cpu=40 if number != 7 else 41)
