"""Which processes need no reading: as many as possible, and never one of which something is other than before."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.proctable import LOOKED_AGAIN, Looks, Process, ProcTable
from agent.runs import Memory, Runs
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

    def _read(self, process: Process) -> bytes:
        self.read.add(process.pid)
        return super()._read(process)

    def read_in(self, **how: Any) -> set[int]:
        self.read.clear()
        self.sample(**how)
        return set(self.read)


def write_runs(root: Path, pid: int, runs: int) -> None:
    (root / str(pid) / "schedstat").write_text(f"{1000 * runs} 0 {runs}\n")


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
        (root / str(pid) / "schedstat").write_text("0 0 0\n")
    assert settled(root).read_in() == {1, 2}
    (root / "1" / "schedstat").unlink()
    assert settled(root).read_in() == {1, 2}


def test_all_are_read_when_memory_was_taken(root: Path) -> None:
    table = settled(root)
    write_memory(root, 1)
    assert table.read_in() == {1, 2}
    assert table.read_in() == set()
    (root / "vmstat").unlink()
    assert table.read_in() == {1, 2} == table.read_in()


def test_one_with_threads_is_read(root: Path) -> None:
    stat = root / "2" / "stat"
    stat.write_text(stat.read_text().replace(" 20 0 1 0 ", " 20 0 2 0 "))
    assert settled(root).read_in() == {2}, "what its other threads do is not in its count"


def test_the_usual_sample_after_others_reads_all(root: Path) -> None:
    table = settled(root)
    assert table.read_in(whole=False) == set()
    assert table.read_in() == {1, 2}, "whose CPU is over a time of its own"


def test_each_is_read_once_in_a_while_whatever_is_said(root: Path) -> None:
    table = settled(root)
    assert set().union(*(table.read_in() for _ in range(LOOKED_AGAIN + 1))) == {1, 2}


def test_each_is_read_once_in_a_while_however_others_come_and_go(root: Path) -> None:
    for pid in range(11, 17):
        write_stat(root, pid, start=5, ticks=9)
        write_runs(root, pid, 3)
    table, read = settled(root), set()
    for step in range(LOOKED_AGAIN + 1):
        if step % 2:
            write_stat(root, 3, start=100 + step, ticks=0)
        elif step:
            shutil.rmtree(root / "3")
        read |= table.read_in()
    assert read >= {1, 2, *range(11, 17)}


def test_who_has_not_run_is_not_looked_at_again_and_who_has_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, looks, looked = settled(root), ProcTable._looks, []

    def counted(process: Process) -> Looks:
        looked.append(process.pid)
        return looks(table, process)

    monkeypatch.setattr(table, "_looks", counted)
    for _ in range(2 * LOOKED_AGAIN):
        table.sample()
    looked.clear()
    for _ in range(LOOKED_AGAIN):
        table.sample()
    assert looked == []
    (root / "2" / "cmdline").write_bytes(b"another\0")
    write_runs(root, 2, 4)
    for _ in range(LOOKED_AGAIN + 1):
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
def test_the_table_is_what_reading_all_would_say(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, clock = random.Random(seed), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    quick, thorough = ProcTable(str(tmp_path)), ProcTable(str(tmp_path))
    monkeypatch.setattr(thorough, "_ran", lambda process: b"")
    ticks, runs = dict.fromkeys(range(1, 9), 0), dict.fromkeys(range(1, 9), 1)
    write_memory(tmp_path, 0)
    for _step in range(60):
        for pid in ticks:
            if chance.random() < 0.2:
                ticks[pid] += chance.choice([0, 1, 50])
                runs[pid] += 1
            write_stat(tmp_path, pid, start=pid, ticks=ticks[pid])
            write_runs(tmp_path, pid, runs[pid])
        clock[0] += 2
        whole = chance.random() < 0.5
        assert Table(quick.sample(whole)).whole() == Table(thorough.sample(whole)).whole()


def test_a_process_that_is_gone_has_not_run() -> None:
    ended = subprocess.Popen(["sleep", "100"])
    runs = Runs(f"/proc/{ended.pid}")
    assert runs.so_far()
    ended.kill()
    ended.wait()
    assert runs.so_far() == b""
    runs.close()
    gone = Runs(f"/proc/{ended.pid}")
    assert gone.so_far() == b""
    gone.close()


def test_memory_is_looked_at_as_the_kernel_tells_it() -> None:
    memory = Memory("/proc/vmstat")
    assert memory.was_taken(), "nobody knows at first"
    assert memory._taken, "what is looked for is there"
