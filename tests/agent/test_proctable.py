"""The process table, on real processes of this machine."""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent import newcomers, proctable
from agent.procstat import start_ticks
from agent.proctable import SPARE, TICKS_PER_SEC, Looks, Process, ProcTable
from agent.tablechanges import Table
from tests.agent.conftest import eventually
from tests.agent.fake_proc import write_stat

pytestmark = pytest.mark.usefixtures("no_descriptors_left")
Spawn = Callable[..., subprocess.Popen[bytes]]
NAMED = """
import ctypes, sys, time
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
print(flush=True)
time.sleep(100)
"""


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, **options: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def entry_of(process: Process) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(Table([process]).whole())[0]
    return entry


def of(processes: list[Process], pid: int) -> dict[str, Any]:
    return next(entry_of(p) for p in processes if p.pid == pid)


def pids(processes: list[Process]) -> set[int]:
    return {process.pid for process in processes}


def test_the_first_sample_does_not_know_cpu_yet() -> None:
    table = ProcTable()
    assert all(p.cpu is None for p in table.sample())
    time.sleep(0.05)
    assert of(table.sample(), os.getpid())["cpu"] is not None


def test_cpu_of_a_burning_process_rises_and_falls(spawn: Spawn) -> None:
    burning = spawn(sys.executable, "-c", "while True: pass")
    table = ProcTable()
    truth, moments = psutil.Process(burning.pid), []

    def sampled() -> list[Process]:
        """A sample, and what the process had used when, before and after it: a busy machine may pause in between."""
        for step in (lambda: None, table.sample):
            found = step()
            moments.append((sum(truth.cpu_times()[:2]), time.monotonic()))
        return found or []

    sampled()
    time.sleep(2)
    cpu = of(sampled(), burning.pid)["cpu"]
    (used0, at0), (used1, at1), (used2, at2), (used3, at3) = moments
    assert cpu > 1
    assert 100 * (used2 - used1) / (at3 - at0) - 5 <= cpu <= 100 * (used3 - used0) / (at2 - at1) + 5
    burning.send_signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(burning.pid).status() == psutil.STATUS_STOPPED)
    table.sample()
    time.sleep(0.3)
    stopped = of(table.sample(), burning.pid)
    assert (stopped["cpu"], stopped["status"]) == (0.0, "stopped")


def asleep(pid: int) -> bool:
    """A program that has just begun runs for a moment."""
    return psutil.Process(pid).status() == psutil.STATUS_SLEEPING


def test_a_process_is_described_as_psutil_does(spawn: Spawn) -> None:
    child = spawn("sleep", "77")
    eventually(lambda: psutil.Process(child.pid).name() == "sleep" and asleep(child.pid))
    seen, truth = of(ProcTable().sample(), child.pid), psutil.Process(child.pid)
    assert seen["name"] == "sleep"
    assert seen["cmdline"] == "sleep 77"
    assert seen["ppid"] == os.getpid()
    assert seen["threads"] == 1
    assert seen["status"] == "sleeping"
    assert seen["user"] == pwd.getpwuid(os.geteuid()).pw_name
    assert seen["memMB"] == pytest.approx(truth.memory_info().rss / 1048576, abs=1)
    assert seen["startTicks"] == start_ticks(child.pid)


@pytest.mark.parametrize(
    "name",
    ["a) R 1 (b", "<b>bold</b>", "two\nlines", "عربى", "🔥 fire", " ", "))))", "\u202edrawkcab"],
)
def test_any_name_is_read_whole(spawn: Spawn, name: str) -> None:
    child = spawn(sys.executable, "-c", NAMED, name.encode()[:15].hex())
    assert child.stdout is not None
    child.stdout.readline()
    seen = of(ProcTable().sample(), child.pid)
    assert seen["name"] == name.encode()[:15].decode("utf-8", "replace")
    assert seen["ppid"] == os.getpid()


def test_a_name_that_is_not_utf8_becomes_valid_text(spawn: Spawn) -> None:
    child = spawn(sys.executable, "-c", NAMED, b"\xff\xfeok".hex())
    assert child.stdout is not None
    child.stdout.readline()
    name = of(ProcTable().sample(), child.pid)["name"]
    assert name.endswith("ok")
    name.encode()


def test_a_new_name_brings_the_new_command_line(spawn: Spawn) -> None:
    child = spawn("sh", "-c", "read x; exec sleep 55", stdin=subprocess.PIPE)
    table = ProcTable()
    for _ in range(3):
        table.sample()
    assert of(table.sample(), child.pid)["name"] == "sh"
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.flush()
    eventually(lambda: psutil.Process(child.pid).name() == "sleep")
    eventually(lambda: of(table.sample(), child.pid)["cmdline"] == "sleep 55")  # its clock goes by the kernel's ticks


def test_a_process_that_ended_is_gone_and_its_descriptor_closed(spawn: Spawn) -> None:
    table = ProcTable()
    child = spawn("sleep", "100")
    table.sample()
    child.kill()
    child.wait()
    assert all(p.pid != child.pid for p in table.sample())
    assert not [f for f in Path("/proc/self/fd").iterdir() if os.path.lexists(f) and str(child.pid) in os.readlink(f)]


def test_a_zombie_is_called_so(spawn: Spawn) -> None:
    child = spawn("true")
    eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert of(ProcTable().sample(), child.pid)["status"] == "zombie"


def test_another_process_under_the_same_pid_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    table = ProcTable(str(tmp_path))
    write_stat(tmp_path, 5, start=100, ticks=1000)
    for _ in range(3):
        table.sample()
    write_stat(tmp_path, 5, start=200, ticks=9000)
    seen = of(table.sample(), 5)
    assert seen["cpu"] is None
    assert seen["startTicks"] == 200


def test_a_whole_sample_is_over_the_time_since_the_last_whole_one(tmp_path: Path) -> None:
    table = ProcTable(str(tmp_path))
    write_stat(tmp_path, 5, start=100, ticks=0)
    write_stat(tmp_path, 6, start=100, ticks=70)  # idle all the time
    table.sample()
    began = time.monotonic()
    table.sample(whole=False)
    write_stat(tmp_path, 5, start=100, ticks=1000)
    write_stat(tmp_path, 7, start=300, ticks=50)  # has begun since
    assert of(table.sample(whole=False), 5)["cpu"] > 0
    between = table.sample(whole=False)
    assert [of(between, pid)["cpu"] for pid in (5, 6, 7)] == [0, 0, 0]
    time.sleep(0.2)
    whole = table.sample()
    scale = 100 / TICKS_PER_SEC / (time.monotonic() - began)
    assert of(whole, 5)["cpu"] == pytest.approx(1000 * scale, rel=0.1)
    assert of(whole, 6)["cpu"] == 0
    assert of(whole, 7)["cpu"] == pytest.approx(50 * scale, rel=0.1)
    assert [of(table.sample(), pid)["cpu"] for pid in (5, 6, 7)] == [0, 0, 0]


def test_only_where_something_started_there_is_somebody_new(tmp_path: Path) -> None:
    table = ProcTable(str(tmp_path))
    for pid, forks in ((5, 70), (6, 71)):
        write_stat(tmp_path, pid, start=100, ticks=0)
        assert pids(table.sample(forks=forks)) == set(range(5, pid + 1))
    write_stat(tmp_path, 7, start=300, ticks=0)
    assert pids(table.sample(forks=71)) == {5, 6}
    assert pids(table.sample(forks=72)) == {5, 6, 7}
    write_stat(tmp_path, 8, start=400, ticks=0)
    assert pids(table.sample()) == {5, 6, 7, 8}  # where the kernel does not tell, all are looked at


def test_each_minute_all_are_looked_at_whatever_is_said_of_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ProcTable(str(tmp_path))
    write_stat(tmp_path, 5, start=100, ticks=0)
    table.sample(forks=0)  # a sandbox's kernel that always says so
    write_stat(tmp_path, 6, start=100, ticks=0)
    assert pids(table.sample(forks=0)) == {5}
    monkeypatch.setattr(newcomers, "LIST_SEC", 0.0)
    assert pids(table.sample(forks=0)) == {5, 6}


def test_a_process_that_becomes_another_program_under_its_name_is_seen_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    table, cmdlines = ProcTable(str(tmp_path)), []
    for pid in range(5, 65):
        write_stat(tmp_path, pid, start=100, ticks=0)
        (tmp_path / str(pid) / "cmdline").write_bytes(b"worker\0--first\0")
    for _ in range(3):
        table.sample()
    for pid in (5, 6, 40):
        (tmp_path / str(pid) / "cmdline").write_bytes(b"worker\0--second\0")
    (tmp_path / "41" / "cmdline").write_bytes(b"")  # a zombie's
    for _ in range(proctable.AGAIN_SEC // 10):
        clock[0] += 10
        cmdlines = [of(table.sample(), pid)["cmdline"] for pid in (5, 6, 40, 41, 42)]
    assert cmdlines == ["worker --second"] * 3 + ["worker --first"] * 2


def test_who_ended_is_gone_though_nothing_started(spawn: Spawn) -> None:
    table, child = ProcTable(), spawn("sleep", "100")
    assert child.pid in pids(table.sample(forks=70))
    child.kill()
    child.wait()
    assert child.pid not in pids(table.sample(forks=70))


def test_few_descriptors_are_enough(spawn: Spawn) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    expected = len(ProcTable().sample())
    open_now = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + SPARE + 10, hard))
    try:
        table = ProcTable()
        found = table.sample()
        again = table.sample()
        assert len(os.listdir("/proc/self/fd")) <= open_now + 10 + 2  # vmstat and loadavg, which SPARE is for
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert min(len(found), len(again)) > expected / 2  # others come and go meanwhile


def test_a_kernel_thread_that_changes_its_name_is_not_looked_at_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, looked, names = ProcTable(str(tmp_path)), [], {}
    looks = table._looks

    def counted(process: Process) -> Looks:
        looked.append(process.comm)
        return looks(process)

    monkeypatch.setattr(table, "_looks", counted)
    for turn, flags in enumerate([proctable.PF_KTHREAD] * 4 + [0] * 2):
        write_stat(tmp_path, 5, start=100, ticks=0, name=f"kworker/{turn}", flags=flags)
        names = of(table.sample(), 5)
    assert looked == [b"kworker/0", b"kworker/1", b"kworker/4", b"kworker/5"]
    assert (names["name"], names["cmdline"]) == ("kworker/5", "kworker/5 --one")


def test_kernel_threads_are_there_with_an_empty_command_line() -> None:
    kernel = [entry for entry in map(entry_of, ProcTable().sample()) if entry["ppid"] == 2]
    if not kernel:
        pytest.skip("this machine hides its kernel threads (a container)")
    assert all(p["cmdline"] == "" and p["user"] == "root" for p in kernel)
