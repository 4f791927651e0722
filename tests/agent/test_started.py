"""Processes that come and go between two samples: the kernel's count of starts, beside what the table sees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.kernelstat import KernelStat
from agent.proctable import ProcTable
from agent.started import Started
from tests.agent.fake_proc import write_stat


def test_short_lived_processes_are_counted_though_no_table_has_them() -> None:
    table, started, stat = ProcTable(), Started(), KernelStat()
    stat.read()
    forks = stat.number("processes")
    table.sample(forks=forks)
    assert started.since_last(forks, table.new) == {"forks": None, "newProcs": None}
    for _ in range(20):
        subprocess.run(["true"], check=True)
    with subprocess.Popen(["sleep", "60"]) as child:
        stat.read()
        forks = stat.number("processes")
        pids = {process.pid for process in table.sample(forks=forks)}
        told = started.since_last(forks, table.new)
        child.kill()
    assert child.pid in pids
    assert told["forks"] >= 21
    assert 1 <= told["newProcs"] <= told["forks"] - 20


def test_a_pid_in_use_again_is_a_new_process(tmp_path: Path) -> None:
    table = ProcTable(str(tmp_path))
    for pid in (7, 8):
        write_stat(tmp_path, pid, start=100, ticks=0)
    table.sample()
    assert table.new == 2
    write_stat(tmp_path, 8, start=200, ticks=0)
    table.sample()
    assert table.new == 1
    table.sample()
    assert table.new == 0


def test_a_kernel_that_does_not_tell_is_said_once_and_reporting_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    started, unknown = Started(), {"forks": None, "newProcs": None}
    assert [started.since_last(None, 3), started.since_last(None, 3)] == [unknown, unknown]
    assert caplog.messages == ["the kernel does not tell how many processes started"]
    assert started.since_last(100, 3) == unknown
    assert started.since_last(138, 5) == {"forks": 38, "newProcs": 5}
    assert started.since_last(7, 5) == unknown  # a machine that was restored from an image
