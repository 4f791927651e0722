"""Which processes need no reading: as many as possible, and never one of which something is other than before."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.proctable import AGAIN_SEC, Looks, Process, ProcTable
from agent.runs import Memory, clock_of, clocks
from agent.tablechanges import Table
from tests.agent.conftest import eventually
from tests.agent.fake_proc import write_stat

pytestmark = pytest.mark.usefixtures("no_descriptors_left")
PARENT = "import subprocess, time; print(subprocess.Popen(['sleep', '100']).pid, flush=True); time.sleep(100)"


class Reads(ProcTable):
    """Counts whose stat is read."""

    def __init__(self, root: Path | str = "/proc") -> None:
        super().__init__(str(root))
        self.read: set[int] = set()
        if isinstance(root, Path):
            self._told = told_in(root)

    def _read(self, process: Process) -> bytes:
        self.read.add(process.pid)
        return super()._read(process)

    def read_in(self, **how: Any) -> set[int]:
        self.read.clear()
        self.sample(**how)
        return set(self.read)


def told_in(root: Path) -> Callable[[int], int]:
    """The clocks of processes in a folder, as `write_runs` has set them."""
    return lambda clock: int((root / str(~(clock >> 3)) / "ran").read_text())


def write_runs(root: Path, pid: int, runs: int) -> None:
    (root / str(pid) / "ran").write_text(f"{1000 * runs}")


def write_memory(root: Path, taken: int) -> None:
    (root / "vmstat").write_text(f"nr_free_pages 7\npgsteal_kswapd {taken}\npswpin 0\npswpout 0\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two processes that do nothing."""
    for pid in (1, 2):
        write_stat(tmp_path, pid, start=5, ticks=9)
        write_runs(tmp_path, pid, 3)
    write_memory(tmp_path, 0)
    return tmp_path


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock says."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def settled(root: Path) -> Reads:
    """A table that knows them well."""
    table = Reads(root)
    for _ in range(4):
        table.sample()
    return table


def test_who_has_not_run_is_not_read(root: Path) -> None:
    table = settled(root)
    assert table.read_in() == set()
    write_stat(root, 2, start=5, ticks=99)
    write_runs(root, 2, 4)
    assert table.read_in() == {2}
    assert next(process.cpu for process in table.sample()) == 0.0


def test_real_sleepers_are_not_read_and_workers_are() -> None:
    sleeper = subprocess.Popen(["sleep", "100"])
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        table = Reads()
        eventually(lambda: sleeper.pid not in table.read_in(), 60)
        assert worker.pid in table.read_in()
        sleeper.send_signal(signal.SIGSTOP)
        eventually(lambda: next(p for p in table.sample() if p.pid == sleeper.pid).moves[2] == '"stopped"', 60)
    finally:
        for process in (sleeper, worker):
            process.kill()
            process.wait()


def test_all_are_read_where_the_kernel_does_not_count(root: Path) -> None:
    for pid in (1, 2):
        (root / str(pid) / "ran").unlink()
    assert settled(root).read_in() == {1, 2}


def test_all_are_read_when_memory_was_taken(root: Path) -> None:
    table = settled(root)
    write_memory(root, 1)
    assert table.read_in() == {1, 2}
    assert table.read_in() == set()
    (root / "vmstat").unlink()
    table = settled(root)
    assert table.read_in() == {1, 2} == table.read_in()


def test_one_that_works_in_another_thread_is_read() -> None:
    code = "import threading\nthreading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()\nprint(flush=True)"
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert worker.stdout is not None
        worker.stdout.readline()
        table = Reads()
        eventually(lambda: next(p for p in table.sample() if p.pid == worker.pid).moves[3] == "2", 60)
        for _ in range(3):
            time.sleep(0.1)
            assert worker.pid in table.read_in()
    finally:
        worker.kill()
        worker.communicate()


def test_one_with_threads_is_read_until_its_clock_stands(root: Path) -> None:
    stat = root / "2" / "stat"
    stat.write_text(stat.read_text().replace(" 20 0 1 0 ", " 20 0 2 0 "))
    table = settled(root)
    assert table.read_in() == set()
    for pid in (1, 2):
        write_runs(root, pid, 4)
    assert table.read_in() == {1, 2}
    stat.write_text(
        stat.read_text().replace(" 20 0 2 0 ", " 20 0 1 0 ")
    )  # its thread is counted off after its last time
    assert table.read_in() == {2}
    assert {process.pid: process.moves[3] for process in table.sample()} == {1: "1", 2: "1"}
    assert table.read_in() == set()


def test_the_usual_sample_after_others_reads_all(root: Path) -> None:
    table = settled(root)
    assert table.read_in(whole=False) == set()
    assert table.read_in() == {1, 2}, "whose CPU is over a time of its own"


def samples(now: list[float], seconds: float) -> Iterator[int]:
    """The usual ones of so long a time."""
    for sample in range(int(seconds / 10)):
        now[0] += 10
        yield sample


def test_each_is_read_once_in_a_while_whatever_is_said(root: Path, now: list[float]) -> None:
    table = settled(root)
    read = [pid for _ in samples(now, 3 * AGAIN_SEC) for pid in table.read_in()]
    assert sorted(read) == [1, 1, 1, 2, 2, 2]
    now[0] += 10 * AGAIN_SEC  # a machine that slept
    assert set().union(*(table.read_in() for _ in samples(now, 20))) == {1, 2}


def test_each_is_read_once_in_a_while_however_others_come_and_go(root: Path, now: list[float]) -> None:
    for pid in range(11, 17):
        write_stat(root, pid, start=5, ticks=9)
        write_runs(root, pid, 3)
    table, read = settled(root), set()
    for step in samples(now, AGAIN_SEC + 10):
        if step % 2:
            write_stat(root, 3, start=100 + step, ticks=0)
        elif step:
            shutil.rmtree(root / "3")
        read |= table.read_in()
    assert read >= {1, 2, *range(11, 17)}


def test_who_has_not_run_is_not_looked_at_again_and_who_has_is(
    root: Path, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, looks, looked = settled(root), ProcTable._looks, []

    def counted(process: Process) -> Looks:
        looked.append(process.pid)
        return looks(table, process)

    monkeypatch.setattr(table, "_looks", counted)
    for _ in samples(now, 2 * AGAIN_SEC):
        table.sample()
    assert looked == []
    (root / "2" / "cmdline").write_bytes(b"another\0")
    write_runs(root, 2, 4)
    for _ in samples(now, AGAIN_SEC + 10):
        found = table.sample()
    assert {process.pid: process.looks.cmdline for process in found} == {1: b"app\0--one\0", 2: b"another\0"}


def test_who_lost_its_parent_tells_the_next_one() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    try:
        table = Reads()
        eventually(lambda: child not in table.read_in(), 60)
        parent.kill()
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)  # it stays as a zombie, its child's no more
        found = {process.pid: process for process in table.sample()}
        assert found[parent.pid].moves[2] == '"zombie"'
        assert found[child].parent != str(parent.pid).encode()
        assert f'"ppid":{found[child].parent.decode()}' in found[child].stays
    finally:
        parent.communicate()
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(5))
def test_the_table_is_what_reading_all_would_say(tmp_path: Path, seed: int, now: list[float]) -> None:
    chance = random.Random(seed)
    quick, thorough = Reads(tmp_path), ProcTable(str(tmp_path))
    ticks, runs = dict.fromkeys(range(1, 9), 0), dict.fromkeys(range(1, 9), 1)
    write_memory(tmp_path, 0)
    for _step in range(60):
        for pid in ticks:
            if chance.random() < 0.2:
                ticks[pid] += chance.choice([0, 1, 50])
                runs[pid] += 1
            write_stat(tmp_path, pid, start=pid, ticks=ticks[pid])
            write_runs(tmp_path, pid, runs[pid])
        now[0] += 2
        whole = chance.random() < 0.5
        assert Table(quick.sample(whole)).whole() == Table(thorough.sample(whole)).whole()


def test_a_clock_is_the_time_that_all_threads_ran() -> None:
    told = clocks("/proc")
    before, own, after = time.process_time_ns(), told(clock_of(os.getpid())), time.process_time_ns()
    assert before <= own <= after
    child = subprocess.Popen(["sleep", "100"])
    eventually(lambda: psutil.Process(child.pid).status() == "sleeping")
    assert 0 < told(clock_of(child.pid)) == told(clock_of(child.pid))
    child.kill()
    child.wait()
    with pytest.raises(OSError, match="Invalid argument"):
        told(clock_of(child.pid))


@pytest.mark.parametrize("numbers", ["1", "{me}\t12", "12\t{me}", ""])
def test_clocks_of_another_pid_namespace_are_not_believed(tmp_path: Path, numbers: str) -> None:
    status = tmp_path / "self" / "status"
    status.parent.mkdir()
    status.write_text(f"Ngid:\t0\nNSpid:\t{numbers.format(me=os.getpid())}\nNSpgid:\t0\n")
    for root in (str(tmp_path), str(tmp_path / "nothing")):
        with pytest.raises(OSError, match="is not told here"):
            clocks(root)(clock_of(os.getpid()))
    status.write_text(f"Ngid:\t0\nNSpid:\t{os.getpid()}\nNSpgid:\t0\n")
    assert clocks(str(tmp_path))(clock_of(os.getpid())) > 0


def test_memory_is_looked_at_as_the_kernel_tells_it() -> None:
    memory = Memory("/proc/vmstat")
    assert memory.was_taken(), "nobody knows at first"
    assert memory._taken, "what is looked for is there"
