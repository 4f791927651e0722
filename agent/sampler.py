"""Builds reports: what this machine is and does at a moment, as JSON."""

from __future__ import annotations

import json
import os
import time
from typing import Any, NamedTuple

from agent import FEATURES, __version__, choose, host
from agent.config import Config
from agent.disks import Disks
from agent.kernelstat import KernelStat
from agent.leases import Leases
from agent.proctable import TICKS_PER_SEC, ProcTable
from agent.servicetable import ServiceTable, told
from agent.stamp import Stamp
from agent.started import Started
from agent.tablechanges import Table

SERVICES_EVERY = 300.0
Reading = dict[str, Any]
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class News(NamedTuple):
    """What only the newest report can tell, as members of its JSON, and the commands of the leases whose end is in it.

    It is for a report that is sent at once. One that has to wait goes without: by the time it comes it is no news.
    """

    text: bytes
    ends: list[str]


class Sample(NamedTuple):
    """This machine at one moment; both texts are a report's JSON but for its end, where news and sentAt go."""

    ts: float
    facts: str  # all of the report but the processes
    table: Table

    def whole(self) -> bytes:
        """With every process."""
        return f'{self.facts},"procs":{self.table.whole()}'.encode("utf-8", "replace")

    def since(self, base: Sample) -> bytes:
        """With what is other than in an earlier sample that the hub knows; it says as much as the whole."""
        return f'{self.facts},"base":{base.ts},"changes":{self.table.since(base.table)}'.encode("utf-8", "replace")


class Sampler:
    """Sequence numbers grow by one over the run named by `run_id`."""

    def __init__(self, config: Config, table: ServiceTable, leases: Leases) -> None:
        self._table = table
        self._leases = leases
        self._processes = ProcTable()
        self._stat = KernelStat()
        self._host = host.HostReadings(self._stat)
        self._started = Started()
        self._disks = Disks()
        self._rates = Rates()
        self._seq = 0
        self._services_told: list[dict[str, Any]] | None = None
        self._services_told_at = 0.0
        self._lists_told = 0
        self._leases_told = False
        self._fixed = {
            "agentId": config.agent_id,
            "runId": os.urandom(8).hex(),
            "ticksPerSec": TICKS_PER_SEC,
            "version": __version__,
            "allow": config.allow.entries,
            "features": FEATURES,
            "alerts": [],
            **host.identity(),
        }

    def sample(self, stamp: Stamp, between: bool = False) -> Sample:
        """What there is now to report.

        between: it is no sample of the usual interval's; the next of those is of all the time since the last of them.
        """
        self._seq += 1
        self._stat.read()  # before the processes: who starts in between makes their list be read next time
        forks = self._stat.number("processes")
        processes = self._processes.sample(not between, forks)
        self._table.refresh(self._processes.started)
        chosen = choose.busiest(processes, self._table.main_pids())
        ts, load = round(stamp.wall, 3), self._rates.over(self._host.load(), stamp.since_boot, between)
        report = {
            **self._fixed,
            "ts": ts,
            "seq": self._seq,
            "procsTotal": len(processes),
            "load": {**load, **self._started.since_last(forks, self._processes.new)},
            **host.uptime(self._stat),
            **host.time_zone(),
            **self._disks.news(),
            "managers": self._table.managers(),
        }
        return Sample(ts, _encode(report)[:-1], Table(chosen))

    def news(self) -> News:
        """The services when they changed, and the leases; say `lost` when the report that has them is not taken."""
        text = ""
        services = self._services_due()
        if services is not None:
            text += ',"services":' + _encode(services)
        leases, ends = self._leases.wire()
        if leases or not self._leases_told:
            text += ',"leases":' + _encode(leases)
        self._leases_told = True
        return News(text.encode("utf-8", "replace"), ends)

    def lost(self) -> None:
        """The news did not arrive: the next ones have everything again."""
        self._services_told = None
        self._leases_told = False

    def _services_due(self) -> list[dict[str, Any]] | None:
        now, lists = time.monotonic(), self._table.lists_read
        recent = self._services_told is not None and now - self._services_told_at < SERVICES_EVERY
        if recent and lists == self._lists_told:
            return None
        services, self._lists_told = self._table.wire(), lists
        if recent and told(services) == self._services_told:
            return None
        self._services_told, self._services_told_at = told(services), now
        return services


class Rates:
    """Host readings that are over the time since the last sample: of the usual samples, since the last usual one."""

    def __init__(self) -> None:
        self._at = 0.0
        self._since: list[tuple[float, Reading]] = []  # seconds and readings of the samples between

    def over(self, load: Reading, at: float, between: bool) -> Reading:
        """The readings as they are to be told; at: seconds by a steady clock."""
        seconds, self._at = at - self._at, at
        if between:
            self._since.append((seconds, load))
            return load
        parts, self._since = [*self._since, (seconds, load)], []
        return load if len(parts) == 1 else {**load, **{name: _mean(name, parts) for name in load if _is_rate(name)}}


def _is_rate(name: str) -> bool:
    return name.startswith("cpu") or name.endswith("Bps")


def _mean(name: str, parts: list[tuple[float, Reading]]) -> float | None:
    """Over all the time; None where a counter began anew in between."""
    total = whole = 0.0
    for seconds, load in parts:
        value = load.get(name)
        if value is None:
            return None
        total, whole = total + seconds * value, whole + seconds
    return round(total / max(whole, 0.001), 1)
