"""Process tables to measure history with: made up with a fixed seed, or recorded from this machine.

What is made up follows what was seen on real servers: 500 processes, most of them idle; an agent tells CPU in steps
of 0.1 % (one clock tick of ten seconds) and memory in MB with two decimals; CPU is drawn around a level that moves
slowly, memory walks in pages; processes come and go, most of the short ones by commands that come again.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec

from agent.proctable import ProcTable
from agent.tablechanges import Table
from servers.wire import Proc

PAGE_MB = 4096 / 2**20
NEW_PIDS = (2, 1, 2, 2, 1)  # in turns, 1.6 on average; as many end
PROGRAMS = (
    ("nginx", "www-data", "nginx: worker process"),
    ("redis-server", "redis", "/usr/bin/redis-server 127.0.0.1:6379"),
    ("postgres", "postgres", "postgres: 16/main: app app 10.0.0.{n}({n}) idle"),
    ("kworker/{n}:1-events", "root", ""),
    ("systemd-journal", "root", "/lib/systemd/systemd-journald"),
    ("python3", "app", "/srv/app/.venv/bin/python -m app.worker --queue q{n} --concurrency 4"),
    ("sshd", "root", "sshd: deploy@pts/{n}"),
    ("java", "kafka", "/usr/lib/jvm/bin/java -Xmx4G -Dlog.dir=/var/log/kafka-{n} -cp /opt/kafka/libs/* kafka.Kafka"),
)
SHORT = (
    ("sh", "root", "/bin/sh -c test -x /usr/sbin/check{n} && /usr/sbin/check{n} --quiet"),
    ("curl", "app", "curl -sf --max-time 5 http://127.0.0.1:80{n}/healthz"),
    ("git", "git", "git-upload-pack /srv/git/project-{n}.git"),
    ("gcc", "build", "/usr/lib/gcc/cc1 -O2 -o /tmp/cc{n}{m}.s src/module_{n}.c"),
    ("sleep", "root", "sleep {n}"),
)


class Change(NamedTuple):
    """Of all samples: the share whose CPU, and whose memory, differs from the sample before."""

    cpu: float
    mem: float


TYPICAL, BUSY = Change(0.16, 0.06), Change(0.69, 0.39)


class _Life:
    """One process: what it is, and how it moves."""

    __slots__ = ("grows", "level", "mem_pages", "proc", "restless")

    def __init__(self, proc: Proc, level: float, restless: float, grows: float, mem_pages: int) -> None:
        self.proc, self.level, self.restless, self.grows, self.mem_pages = proc, level, restless, grows, mem_pages


class Recording:
    """Process tables one after the other, as agents report them; of one seed always the same ones."""

    def __init__(self, change: Change, processes: int = 500, seed: int = 1) -> None:
        self.change, self.chance = change, random.Random(seed)
        self.taken, self.pid, self.ticks = 0, 300, 1_000_000
        self._lives = [self._life(PROGRAMS) for _ in range(processes)]

    def __iter__(self) -> Iterator[list[Proc]]:
        while True:
            yield self.next()

    def next(self) -> list[Proc]:
        """The next table, in the order of pids."""
        if self.taken:
            self._churn()
            for life in self._lives:
                self._move(life)
        self.taken += 1
        self.ticks += 1000
        return [Proc(*(getattr(life.proc, field) for field in Proc.__struct_fields__)) for life in self._lives]

    def _churn(self) -> None:
        settled = len(self._lives) - 12  # what is new ends soon, the rest is there for hours
        for _ in range(NEW_PIDS[self.taken % len(NEW_PIDS)]):
            early = self.chance.random() < 0.2
            self._lives.pop(self.chance.randrange(settled) if early else self.chance.randrange(settled, settled + 12))
            self._lives.append(self._life(SHORT if not early else PROGRAMS))

    def _life(self, programs: tuple[tuple[str, str, str], ...]) -> _Life:
        chance = self.chance
        self.pid += chance.randint(1, 40)
        name, user, cmdline = chance.choice(programs)
        words = {"n": chance.randint(1, 40), "m": chance.randint(1000, 9999)}
        awake = min(0.95, 1.35 * self.change.cpu + 0.08)  # the share of processes that ever do anything
        busy = chance.random() < awake
        middle = 0.7 if self.change.cpu < 0.5 else 1.8
        level = math.exp(chance.gauss(middle, 1.4)) if busy else 0.0  # ticks in ten seconds
        often = 1.14 if self.change.cpu < 0.5 else 1.17  # what is drawn anew may be the same again
        restless = min(1.0, self.change.cpu / awake * often) if busy else 0.004
        grows = chance.choice([0.0, 0.0, 0.0, 1.0]) if self.change.mem < 0.2 else chance.choice([0.0, 1.0])
        mem = int(math.exp(chance.gauss(8.5, 1.5)))
        proc = Proc(
            name.format(**words)[:15], self.pid, None, round(mem * PAGE_MB, 2), "sleeping", user,
            cmdline.format(**words), chance.choice([1, 2, 300]), chance.choice([1, 1, 1, 4, 17]), self.ticks,
        )  # fmt: skip
        return _Life(proc, level, restless, grows, mem)

    def _move(self, life: _Life) -> None:
        chance, proc = self.chance, life.proc
        if proc.cpu is None or chance.random() < life.restless:
            life.level *= math.exp(chance.gauss(0, 0.05))
            ticks = max(0.0, chance.gauss(life.level, math.sqrt(life.level) + 0.3)) if life.level else chance.random()
            proc.cpu = round(round(ticks) * 0.1, 1)
            proc.status = "running" if proc.cpu > 30 and chance.random() < 0.5 else "sleeping"
        share = self.change.mem * (4 if self.change.mem < 0.2 else 2)
        if life.grows and chance.random() < share * (0.9 if self.change.mem < 0.2 else 0.95):
            life.mem_pages = max(
                100,
                life.mem_pages
                + (chance.choice((-1, 1)) * int(1 + chance.expovariate(0.05 if self.change.mem < 0.2 else 0.02))),
            )
            proc.mem_mb = round(life.mem_pages * PAGE_MB, 2)
        if chance.random() < 0.001:
            proc.threads = max(1, (proc.threads or 1) + chance.choice((-1, 1)))


def of_this_machine(snapshots: int, seconds: float = 1) -> Iterator[list[Proc]]:
    """This machine's own processes as the agent reads and sends them."""
    table = ProcTable()
    for number in range(snapshots):
        time.sleep(seconds if number else 0)
        yield msgspec.convert(json.loads(Table(table.sample()[:500]).whole()), list[Proc])


def shares(tables: list[list[Proc]]) -> tuple[float, float, float]:
    """Of all samples with one before: the share whose CPU, and memory, differs; and new processes in a table."""
    cpu = mem = both = new = 0
    for before, after in pairwise(tables):
        known = {(proc.pid, proc.start_ticks): proc for proc in before}
        for proc in after:
            old = known.get((proc.pid, proc.start_ticks))
            if old is None:
                new += 1
                continue
            both, cpu, mem = both + 1, cpu + (old.cpu != proc.cpu), mem + (old.mem_mb != proc.mem_mb)
    return cpu / both, mem / both, new / (len(tables) - 1)
