"""A server with a past: tables an hour ago and more, of which one hour is compacted; for page and browser tests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.test import Client
from django.utils import timezone

from servers import compaction, history, ingest, moments, partitions
from servers.history import HOUR
from servers.models import Server
from servers.wire import Proc, Report
from tests.servers.reports import report
from tests.servers.samples import proc

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PAGE = "/servers/srv-web-01/"
BOOTED = 1_750_000_000
FACTS: dict[str, Any] = {"bootTime": BOOTED, "ticksPerSec": 100, "cpuCount": 8}


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def tell(server: Server, at: datetime, procs: list[Proc], cpu: float = 20.0, **more: Any) -> None:
    """A report sampled and received at a moment."""
    load = {"cpu": cpu, "memUsedMB": 4096, "memTotalMB": 16384, "load1": cpu / 10, "load15": 1.5}
    body = report(agentId=server.agent_id, ts=at.timestamp(), load=load, **FACTS, **more)
    body["procs"] = [msgspec.to_builtins(one) for one in procs]
    assert ingest.store(server, msgspec.convert(body, Report), at).outcome == "stored"


def compact(server: Server, hour: datetime) -> None:
    """Move an hour's raw tables into a chunk."""
    partitions.make(history.LEVELS[history.CHUNKS], hour, hour)
    assert compaction.compact_hour(server.pk, hour, timezone.now()) > 0


def family(cpu: float = 1.0, pid: int = 41, start_ticks: int = 950) -> list[Proc]:
    """The first process, its child, and that one's: a worker with so much CPU."""
    return [
        proc(1, name="systemd", user="root", cmdline="/sbin/init", ppid=0, start_ticks=5),
        proc(40, name="nginx", cmdline="nginx: master", ppid=1, start_ticks=900),
        proc(pid, name="nginx", cmdline="nginx: worker", ppid=40, cpu=cpu, start_ticks=start_ticks),
    ]


def past_hours(server: Server) -> datetime:
    """Two samples three hours ago, compacted, and two an hour later, raw; returns when the first was taken."""
    first = this_hour() - 3 * HOUR
    tell(server, first, family(10.0), cpu=11)
    tell(server, first + 10 * SECOND, family(20.0), cpu=22)
    tell(server, first + HOUR, [*family(30.0), proc(77, name="backup", start_ticks=7000, ppid=1)], cpu=33)
    tell(server, first + HOUR + 10 * SECOND, family(40.0, pid=99, start_ticks=8000), cpu=44)
    compact(server, first)
    return first


def page(client: Client, at: datetime | str, more: str = "", status: int = 200) -> str:
    """Web1's page at a moment; more: what follows its address."""
    text = at if isinstance(at, str) else moments.written(at)
    answer = client.get(f"{PAGE}{more}{'&' if '?' in more else '?'}at={text}")
    assert answer.status_code == status
    return answer.content.decode()


def rows(shown: str) -> list[str]:
    """The processes in a table, each as its pid and start."""
    return re.findall(r'<tr id="proc-([\d-]+)"', shown)
