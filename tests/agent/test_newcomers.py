"""Who has begun since the last sample, found without listing /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import newcomers
from agent.newcomers import MOST, Newcomers
from agent.runs import clock_of
from tests.agent.conftest import ROOT
from tests.patience import PATIENCE


class Kernel:
    """Gives pids; `there` are the processes that can be seen."""

    def __init__(self, root: Path) -> None:
        self._last_pid = root / "sys/kernel/ns_last_pid"
        self._last_pid.parent.mkdir(parents=True)
        self.there = {1}
        self.last(100)

    def last(self, pid: int) -> None:
        self._last_pid.write_text(f"{pid}\n")

    def told(self, clock: int) -> int:
        if clock not in {clock_of(pid) for pid in self.there}:
            raise OSError("no such process")
        return 1000


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture
def begun(tmp_path: Path, kernel: Kernel) -> Newcomers:
    """After two samples, from which on the numbers are known; the next one has forks 3."""
    found = Newcomers(str(tmp_path), kernel.told)
    assert [found.since_last(forks) for forks in (1, 2)] == [None, None]
    return found


def test_who_has_a_number_behind_the_last_one_is_new(kernel: Kernel, begun: Newcomers) -> None:
    kernel.there |= {99, 101, 103, 104}
    kernel.last(103)
    assert begun.since_last(3) == [101, 103]


def test_nobody_is_new_where_nothing_was_started(kernel: Kernel, begun: Newcomers) -> None:
    kernel.there |= {101}
    kernel.last(101)
    assert begun.since_last(2) == []
    assert begun.since_last(3) == [101]


def test_a_number_whose_process_is_not_there_yet_is_tried_again(kernel: Kernel, begun: Newcomers) -> None:
    kernel.last(102)
    assert begun.since_last(3) == []
    kernel.there |= {101, 105}
    kernel.last(105)
    assert begun.since_last(4) == [101, 105]


@pytest.mark.parametrize("last", [50, 100 + MOST + 1], ids=["numbers begin anew", "too many"])
def test_all_are_listed_where_numbers_do_not_help(kernel: Kernel, begun: Newcomers, last: int) -> None:
    kernel.last(last)
    assert begun.since_last(3) is None
    kernel.there |= {last + 1}
    kernel.last(last + 1)
    begun.since_last(4)
    assert begun.since_last(5) == [last + 1]


def test_all_are_listed_where_the_numbers_may_have_gone_round(kernel: Kernel, begun: Newcomers) -> None:
    kernel.last(150)
    assert begun.since_last(2 + MOST + 1) is None
    assert begun.since_last(None) is None


def test_all_are_listed_where_no_number_is_told(tmp_path: Path, kernel: Kernel, begun: Newcomers) -> None:
    kernel.there.clear()  # nor any clock
    assert [begun.since_last(forks) for forks in (3, 4, 5)] == [None, None, None]
    kernel.there.add(1)
    (tmp_path / "sys/kernel/ns_last_pid").write_text("\n")
    assert [begun.since_last(forks) for forks in (6, 7)] == [None, None]


def test_all_are_listed_each_minute(begun: Newcomers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begun.since_last(2) == []
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + newcomers.LIST_SEC + 1)
    assert begun.since_last(2) is None
    assert begun.since_last(2) == []


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")
LOOKS = """
import os, subprocess, threading
from agent.kernelstat import KernelStat
from agent.proctable import ProcTable

stat, table, listed = KernelStat(), ProcTable(), os.listdir

def pids():
    stat.read()
    return [process.pid for process in table.sample(forks=stat.number("processes"))]

def quiet(folder="."):
    assert folder != "/proc", "listed"
    return listed(folder)

for _ in range(3):
    subprocess.run(["true"], check=True)
    pids()
"""
REAL = """
os.listdir = quiet
children = [subprocess.Popen(["sleep", "100"]) for _ in range(40)]
found = pids()
assert {child.pid for child in children} <= set(found), found
assert found == sorted(found)
[child.kill() for child in children]
"""
REUSED = """
child = subprocess.Popen(["sleep", "100"])
assert child.pid in pids()
child.kill()
child.wait()
with open("/proc/sys/kernel/ns_last_pid", "w") as last:
    last.write(str(child.pid - 1))
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
assert thread.native_id == child.pid
found = [pids() for _ in range(3)]
stop.set()
assert not any(child.pid in pids for pids in found), found
"""
ITSELF = """
def look():
    for _ in range(3):
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(threading.get_native_id() - 5))
        pids()
        subprocess.run(["true"], check=True)
        found.append(pids())
        [subprocess.run(["true"], check=True) for _ in range(10)]
        found.append(pids())

found = []
thread = threading.Thread(target=look)
thread.start()
thread.join()
assert len(found) == 6
assert all(os.getpid() in pids and thread.native_id not in pids for pids in found), found
"""


@as_root
@pytest.mark.parametrize("code", [REAL, REUSED, ITSELF], ids=["found", "a thread's now", "its own thread"])
def test_real_ones_by_numbers_that_nobody_else_takes(code: str) -> None:
    space = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LOOKS + code]
    ended = subprocess.run(space, cwd=ROOT, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr


HIDDEN = """
import os
from agent.proctable import ProcTable
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
table = ProcTable()
print([[process.pid for process in table.sample()] == [os.getpid()] for _ in range(2)])
"""


@as_root
def test_a_process_that_a_mount_hides_is_not_there() -> None:
    mounted = f"mount --make-rprivate / && mount -t proc -o hidepid=1 proc /proc && exec {sys.executable} -c '{HIDDEN}'"
    said = subprocess.run(["unshare", "--mount", "sh", "-c", mounted], cwd=ROOT, capture_output=True, check=False)
    assert (said.stdout, said.stderr) == (b"[True, True]\n", b"")
