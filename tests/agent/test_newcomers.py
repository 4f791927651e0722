"""Who has begun since the last sample, found without listing /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import newcomers
from agent.kernelstat import KernelStat
from agent.newcomers import MOST, Newcomers
from agent.proctable import ProcTable
from agent.runs import clock_of

MANY = """
import subprocess
for _ in range(40):
    print(subprocess.Popen(["sleep", "100"]).pid, flush=True)
input()
"""


class Kernel:
    """Gives pids; `there` are the processes that can be seen."""

    def __init__(self, root: Path) -> None:
        self._loadavg = root / "loadavg"
        self.there = {1}
        self.last(100)

    def last(self, pid: int) -> None:
        self._loadavg.write_text(f"0.52 0.58 0.59 1/1057 {pid}\n")

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


def test_all_are_listed_where_no_number_is_told(tmp_path: Path, kernel: Kernel, begun: Newcomers) -> None:
    kernel.there.clear()  # nor any clock
    assert [begun.since_last(forks) for forks in (3, 4, 5)] == [None, None, None]
    kernel.there.add(1)
    (tmp_path / "loadavg").write_text("0.00 0.00\n")
    assert [begun.since_last(forks) for forks in (6, 7)] == [None, None]


def test_all_are_listed_each_minute(begun: Newcomers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begun.since_last(2) == []
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + newcomers.LIST_SEC + 1)
    assert begun.since_last(2) is None
    assert begun.since_last(2) == []


def test_real_ones_are_found_without_a_list(monkeypatch: pytest.MonkeyPatch, no_descriptors_left: None) -> None:
    def forks() -> int | None:
        stat.read()
        return stat.number("processes")

    stat, table = KernelStat(), ProcTable()
    for _ in range(3):
        subprocess.run(["true"], check=True)
        table.sample(forks=forks())
    parent = subprocess.Popen([sys.executable, "-c", MANY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    children = {int(parent.stdout.readline()) for _ in range(40)}
    try:
        listed = os.listdir
        monkeypatch.setattr(os, "listdir", lambda path="/": pytest.fail("listed") if path == "/proc" else listed(path))
        pids = [process.pid for process in table.sample(forks=forks())]
        assert children | {parent.pid} <= set(pids)
        assert pids == sorted(pids)
    finally:
        monkeypatch.undo()
        for child in children:
            os.kill(child, 9)
        parent.communicate()
