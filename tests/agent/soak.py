"""Collects again and again from processes that come, go and change, and prints the memory it takes meanwhile.

    python -m tests.agent.soak COLLECTIONS FOLDER

Prints the resident memory in KB after each tenth of the collections.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import zlib
from pathlib import Path

from agent import config, stamp
from agent.backlog import Backlog
from agent.hubclock import HubClock
from agent.leasebook import LeaseBook, machine_clock
from agent.leases import Leases
from agent.proctable import Process, ProcTable
from agent.sampler import Sampler
from agent.servicetable import ServiceTable
from tests.agent.fake_proc import write_stat

PROCESSES, COME_AND_GO, WAIT = 40, 2, 25


def main() -> None:
    collections, folder = int(sys.argv[1]), Path(sys.argv[2])
    root = folder / "proc"
    root.mkdir()
    sampler, clock, backlog = made(folder, root), HubClock(), Backlog(folder / "backlog")
    base = sampler.sample(stamp.now(clock))
    for number in range(1, collections + 1):
        churn(root, number)
        now = stamp.now(clock)
        sample = sampler.sample(now, between=number % 5 > 0)
        sampler.news()
        zlib.crc32(sample.since(base))
        if number % 5 == 0:
            base = sample
        if number % WAIT == 0:  # some have to wait
            backlog.add(sample.whole(), now)
        if number % (4 * WAIT) == 0:
            while backlog.oldest(now):
                backlog.done()
        if number % (collections // 10) == 0:
            print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024)


def made(folder: Path, root: Path) -> Sampler:
    """The agent's own sampler, on a folder in place of /proc."""
    settings = config.load({"API": "http://127.0.0.1:1", "AGENT_ID": "soak", "STATE_DIR": str(folder)})
    table = ServiceTable([], settings.allow)
    book = LeaseBook(folder / "leases.json", machine_clock())
    leases = Leases(book, table, settings.allow, HubClock(), 0, threading.Event())
    sampler = Sampler(settings, table, leases)
    sampler._processes = Folder(str(root))
    return sampler


class Folder(ProcTable):
    """Of its processes the kernel has started none."""

    def sample(self, whole: bool = True, forks: int | None = None) -> list[Process]:
        return super().sample(whole)


def churn(root: Path, number: int) -> None:
    """Some processes are new, the same many have gone, and some of the others have worked."""
    newest = PROCESSES + number * COME_AND_GO
    for pid in range(newest if number > 1 else 1, newest + COME_AND_GO):
        write_stat(root, pid, start=number, ticks=number, name=f"job-{pid}")
        if (gone := root / str(pid - PROCESSES)).exists():
            shutil.rmtree(gone)
    for pid in range(newest - COME_AND_GO, newest):
        write_stat(root, pid, start=number - 1, ticks=number, name=f"job-{pid}")


if __name__ == "__main__":
    main()
