"""Reports of a server whose processes come and go by chance, for rules on processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec

from servers.wire import Proc

STEP = timedelta(seconds=10)
NAMES = ("nginx", "nginx", "Nginx-helper", "redis-server", "cron")
USERS = ("www-data", "root", "Deploy")
CMDLINES = ("nginx: worker process", "/usr/bin/redis *:6379", "sh -c Worker", "")
CPUS = (0.0, 0.1, 29.9, 30.0, 30.1, 60.2, 95.0)
MEMS = (5.0, 49.99, 50.0, 50.01, 120.5)


class Sampled(NamedTuple):
    """A process table as reported at a moment; total: of how many; more: what else the report says."""

    at: datetime
    procs: list[Proc]
    total: int
    more: dict[str, Any]


class Machine:
    """A made-up server, of one seed always the same one."""

    def __init__(self, seed: int) -> None:
        self._chance, self._boot = Random(seed), 0
        self._booted_at: datetime | None = None
        self._pid, self._ticks, self._procs = 100, 1_000, list[Proc]()
        for _ in range(4):
            self._begin()

    def reports(self, start: datetime, count: int) -> Iterator[Sampled]:
        """So many samples from the start on; now and then some are missing, for too long or not at all."""
        at = start
        for _ in range(count):
            yield self._sampled(at)
            at += STEP * self._chance.choices([1, 2, 15], [40, 3, 1])[0]
            self._ticks += 1_000
            self._move(at)

    def _sampled(self, at: datetime) -> Sampled:
        more: dict[str, Any] = {"boot_id": f"boot-{self._boot}"}
        if self._booted_at:
            more["uptime_sec"] = (at - self._booted_at).total_seconds()
        told = [msgspec.structs.replace(proc) for proc in self._procs]
        left_out = self._chance.choices([0, 1, 30], [8, 1, 1])[0]
        return Sampled(at, told, len(told) + left_out, more)

    def _move(self, at: datetime) -> None:
        chance = self._chance
        if chance.random() < 0.02:
            self._boot, self._booted_at, self._ticks, self._procs = self._boot + 1, at - STEP / 2, 100, []
        for proc in list(self._procs):
            proc.cpu, proc.mem_mb = chance.choice((proc.cpu or 0.0, *CPUS)), chance.choice((proc.mem_mb, *MEMS))
            if chance.random() < 0.08:
                self._procs.remove(proc)
        for _ in range(chance.choices([0, 1, 2], [6, 2, 1])[0]):
            if len(self._procs) < 9:
                self._begin()

    def _begin(self) -> None:
        chance = self._chance
        self._pid += chance.randint(1, 9)
        self._ticks += chance.randint(1, 9)
        ticks = chance.choice([self._ticks, self._ticks, self._ticks, None])
        what = (chance.choice(MEMS), "sleeping", chance.choice(USERS), chance.choice(CMDLINES))
        self._procs.append(Proc(chance.choice(NAMES), self._pid, None, *what, 1, 1, ticks))
