"""Processes that come and go between two samples: the kernel's count of starts, beside what the table sees."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agent.proctable import ProcTable
from agent.started import Started
from tests.agent.fake_proc import write_stat


def test_short_lived_processes_are_counted_though_no_table_has_them() -> None:
    table, started = ProcTable(), Started()
    forks = started.count()
    table.sample(forks=forks)
    assert started.since_last(forks, table.new) == {"forks": None, "newProcs": None}
    for _ in range(20):
        subprocess.run(["true"], check=True)
    with subprocess.Popen(["sleep", "60"]) as child:
        forks = started.count()
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


def test_a_kernel_that_does_not_tell_is_said_once_and_reporting_goes_on(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    started = Started(str(stat))
    assert started.since_last(started.count(), 3) == {"forks": None, "newProcs": None}
    stat.write_text("cpu 1 2 3\nintr 5 6\nctxt 9\nprocesses 100\nprocs_running 1\n")
    assert started.since_last(started.count(), 3) == {"forks": None, "newProcs": None}
    stat.write_text("cpu 1 2 3\nprocesses 138\n")
    assert started.since_last(started.count(), 5) == {"forks": 38, "newProcs": 5}
    stat.write_text("cpu 1 2 3\nprocesses 7\n")  # a machine that was restored from an image
    assert started.since_last(started.count(), 5) == {"forks": None, "newProcs": None}
