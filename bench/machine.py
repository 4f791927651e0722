"""A made-up server whose processes change from report to report as they do on a real one."""

from __future__ import annotations

import gzip
import json
import random
import time
from typing import Any, NamedTuple

PROGRAMS = ["nginx", "redis-server", "postgres", "kworker/0:1-events", "systemd-journald", "python3", "sshd", "java"]
NEW_PIDS = (2, 1, 2, 2, 1)  # in turns, 1.6 on average; as many end


class Change(NamedTuple):
    """The share of the processes whose shown CPU, and whose shown memory, is another in the next report."""

    cpu: float
    mem: float


TYPICAL, BUSY = Change(0.16, 0.06), Change(0.69, 0.39)


class Machine:
    """Reports of so many processes; of one seed always the same ones."""

    def __init__(self, agent_id: str, change: Change, processes: int = 500, seed: int = 1) -> None:
        self.agent_id, self.change, self.chance = agent_id, change, random.Random(seed)
        self.reports, self.pid = 0, 300
        self.procs = [self._process() for _ in range(processes)]

    def _process(self) -> dict[str, Any]:
        chance = self.chance
        self.pid += chance.randint(1, 40)
        name = chance.choice(PROGRAMS)
        return {
            "name": name,
            "pid": self.pid,
            "cpu": chance.choice([0.0, 0.0, 0.0, 0.1, 1.2, round(chance.random() * 50, 1)]),
            "memMB": round(chance.random() * 300, 2),
            "status": chance.choice(["sleeping", "idle", "running"]),
            "user": chance.choice(["root", "www-data", "postgres"]),
            "cmdline": f"/usr/bin/{name} --config /etc/program-{self.pid % 40}.conf --foreground",
            "ppid": chance.choice([1, 2, 300]),
            "threads": chance.randint(1, 40),
            "startTicks": 260_000_000 + self.pid * 137,
        }

    def report(self) -> bytes:
        """The next report as our agent sends it, gzipped as it does."""
        if self.reports:
            self._move()
        self.reports += 1
        cpu = round(self.chance.random() * 100, 1)
        load = {"cpu": cpu, "memUsedMB": 2048.0, "memTotalMB": 8192.0, "load1": 0.5}
        load |= {"cpuUser": round(cpu * 0.7, 1), "cpuSystem": round(cpu * 0.3, 1), "cpuIowait": 1.5, "cpuSteal": 0.0}
        facts = {"hostname": self.agent_id, "kernel": "6.1.0", "cpuCount": 4, "procsTotal": len(self.procs) + 20}
        told = {"agentId": self.agent_id, "ts": time.time(), "procs": self.procs, "load": load, "uptimeSec": 12345}
        boot = {"bootId": "1cb6748b-5488-406f-85f0-d21503a58696", "bootTime": 1.7e9, "ticksPerSec": 100}
        may = {"features": ["signals"], "allow": ["*:*"]}  # the most there is to show: a way to signal in every row
        return gzip.compress(json.dumps(told | facts | boot | may).encode(), 1)

    def _move(self) -> None:
        count, chance = len(self.procs), self.chance
        for proc in chance.sample(self.procs, round(self.change.cpu * count)):
            proc["cpu"] = round((proc["cpu"] + 0.1 * chance.randint(1, 300)) % 100, 1)
        for proc in chance.sample(self.procs, round(self.change.mem * count)):
            proc["memMB"] = round(proc["memMB"] + chance.randint(1, 20), 2)
        for _ in range(NEW_PIDS[self.reports % len(NEW_PIDS)]):
            self.procs.pop(chance.randrange(count))
            self.procs.append(self._process())
