"""What other people's programs saw of this machine's processes: Debian's pidstat and atop, once a second."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PRM = re.compile(r"PRM \S+ (\d+) \S+ \S+ \d+ (\d+) \((.*)\) (\S) (.*)")  # atop's memory line of one process
RESIDENT, IS_PROCESS = 2, 13  # places after its state: kB in RAM, "y" where it is no thread


class Seen(NamedTuple):
    """A process as atop saw it."""

    name: str
    mem_mb: float


@contextmanager
def pidstat(pid: int, log: Path) -> Iterator[None]:
    """Record one process's CPU each second."""
    with recording(["pidstat", "-u", "-H", "-h", "-p", str(pid), "1"], log):
        yield


def cpu_by_second(log: Path) -> dict[int, float]:
    """Percent of one core in the second that ended then, as pidstat wrote."""
    lines = [line.split() for line in log.read_text().splitlines() if re.match(r"\s*\d{10} ", line)]
    return {int(fields[0]): float(fields[7]) for fields in lines}


@contextmanager
def atop(raw: Path) -> Iterator[None]:
    """Record all processes each second, without the kernel's process accounting."""
    with recording(["atop", "-w", str(raw), "1"], raw.with_suffix(".said")):
        yield


def processes_by_second(raw: Path) -> dict[int, dict[int, Seen]]:
    """All processes at each second, by their pid, as atop wrote them."""
    said = subprocess.run(["atop", "-r", str(raw), "-P", "PRM"], capture_output=True, text=True, check=True).stdout
    found: dict[int, dict[int, Seen]] = {}
    for second, pid, name, state, rest in PRM.findall(said):
        fields = rest.split()
        if fields[IS_PROCESS] == "y" and state != "E":
            found.setdefault(int(second), {})[int(pid)] = Seen(name, int(fields[RESIDENT]) / 1024)
    return found


@contextmanager
def recording(argv: list[str], log: Path) -> Iterator[None]:
    """Run a program until the block ends, its output in a file."""
    own = {**os.environ, "LC_ALL": "C", "TZ": "UTC", "ATOPACCT": "", "S_TIME_FORMAT": "ISO"}
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env=own)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(60)
