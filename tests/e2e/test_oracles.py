"""History against programs we did not write: CPU with pidstat, the table at past moments with atop's raw log.

A burner works and pauses for two minutes while a real agent reports to a real hub and both programs record beside it.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.e2e import recorders
from tests.e2e.hub import Hub
from tests.e2e.recorders import Seen
from tests.hosts.waiting import eventually

needs = [name for name in ("pidstat", "atop") if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(needs), reason=f"{', '.join(needs)} not installed (scripts/test-needs)")
NAME = "pm-oracle"
TABLES = 6  # of history that are compared, ten seconds apart
TURNS = (7, 4, 13, 8, 16, 6)  # seconds of work and of rest, so that no sample is like the next
CPU_OFF = 8.0  # percent of one core: a sample's edges fall into a second of pidstat's, at both ends
MEM_OFF = 0.5, 0.02  # MB and a share: the kernel counts a busy process's pages now and then


class Table(NamedTuple):
    """A process table of the past as the API tells it."""

    at: datetime
    total: int
    procs: dict[int, dict[str, Any]]


class Recorded(NamedTuple):
    """What all three saw: history, pidstat, atop; by epoch seconds."""

    pid: int
    tables: list[Table]
    cpu: dict[int, float]
    seen: dict[int, dict[int, Seen]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("oracles")
    with Hub(folder / "data") as hub, burner() as process:
        eventually(lambda: tables(hub, time.time() - 60), bool, 120)
        with recorders.pidstat(process.pid, folder / "pidstat"), recorders.atop(folder / "atop.raw"):
            began = time.time()
            take_turns(process, began + 10 * (TABLES + 2))
        ended = time.time()
        yield Recorded(
            process.pid,
            tables(hub, began, ended),
            recorders.cpu_by_second(folder / "pidstat"),
            recorders.processes_by_second(folder / "atop.raw"),
        )


def take_turns(process: subprocess.Popen[bytes], until: float) -> None:
    """Let it work and pause; without waiting for anything, since what is compared is what was measured."""
    process.send_signal(signal.SIGUSR1)
    for number, turn in enumerate(itertools.cycle(TURNS)):
        process.send_signal(signal.SIGSTOP if number % 2 else signal.SIGCONT)
        if (left := until - time.time()) <= 0:
            return
        time.sleep(min(turn, left))


class burner:
    """The burner, killed at the end."""

    def __enter__(self) -> subprocess.Popen[bytes]:
        script = str(Path(__file__).with_name("burner.py"))
        self.process = subprocess.Popen([sys.executable, script, NAME], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        return self.process

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()


def tables(hub: Hub, start: float, end: float | None = None) -> list[Table]:
    """The tables sampled in a stretch, as they are asked for at each five seconds of it."""
    headers = {"Authorization": f"Bearer {hub.api_token}"}
    servers = requests.get(f"{hub.url}/api/servers", headers=headers, timeout=60).json()["servers"]
    if not servers:
        return []
    found: dict[datetime, Table] = {}
    for second in range(int(start), int(end or time.time()), 5):
        at = datetime.fromtimestamp(second).astimezone().isoformat()
        address = f"{hub.url}/api/servers/{servers[0]['agentId']}/processes"
        answer = requests.get(address, {"at": at}, headers=headers, timeout=60)
        if answer.status_code == 200:
            told = answer.json()
            sampled_at = datetime.fromisoformat(told["sampledAt"])
            if sampled_at.timestamp() >= start:
                procs = {one["pid"]: one for one in told["procs"]}
                found[sampled_at] = Table(sampled_at, told["total"], procs)
    return [found[at] for at in sorted(found)]


def pairs(recorded: Recorded) -> list[tuple[float, float, float]]:
    """Of each sample that pidstat saw whole: how many seconds it is of, our CPU and pidstat's, percent of one core."""
    found = []
    for before, table in itertools.pairwise(recorded.tables):
        first, last = before.at.timestamp(), table.at.timestamp()
        seconds = [recorded.cpu[second] for second in range(int(first) + 1, int(last) + 1) if second in recorded.cpu]
        if len(seconds) >= int(last - first) - 1:
            found.append((last - first, table.procs[recorded.pid]["cpu"], sum(seconds) / len(seconds)))
    assert len(found) >= TABLES - 2, recorded.cpu
    return found


def test_cpu_of_each_sample_is_what_pidstat_saw_in_the_same_seconds(recorded: Recorded) -> None:
    compared = pairs(recorded)
    print(compared)
    assert all(abs(ours - theirs) <= CPU_OFF for _seconds, ours, theirs in compared), compared
    values = [ours for _seconds, ours, _theirs in compared]
    assert max(values) - min(values) > 20, "it did not move, so nothing was compared"


def test_cpu_over_the_whole_stretch_is_what_pidstat_summed_up(recorded: Recorded) -> None:
    """In seconds of one core: what a sample's edge lacks the next one has."""
    compared = pairs(recorded)
    ours, theirs = (sum(one[0] * one[place] / 100 for one in compared) for place in (1, 2))
    print(ours, theirs)
    assert ours == pytest.approx(theirs, abs=2 * CPU_OFF / 10)


def called_alike(ours: str, theirs: str) -> bool:
    """Atop cuts names at 15 characters; a kernel worker's name tells what it does just then."""
    return ours[:15] == theirs[:15] or ours.split("-")[0] == theirs.split("-")[0]


def moments(recorded: Recorded) -> list[tuple[Table, dict[int, Seen], dict[int, Seen]]]:
    """Each table with what atop saw just before and just after it."""
    found = []
    for table in recorded.tables:
        second = int(table.at.timestamp())
        if second - 1 in recorded.seen and second + 2 in recorded.seen:
            found.append((table, recorded.seen[second - 1], recorded.seen[second + 2]))
    assert len(found) >= TABLES - 2, sorted(recorded.seen)
    return found


def test_a_past_table_has_the_processes_that_atop_saw_then(recorded: Recorded) -> None:
    for table, before, after in moments(recorded):
        stayed = {pid for pid in before.keys() & after.keys() if before[pid].name == after[pid].name}
        assert len(stayed) > 10
        if table.total == len(table.procs):
            assert stayed - table.procs.keys() == set()
        names = {pid: (table.procs[pid]["name"], before[pid].name) for pid in stayed & table.procs.keys()}
        assert {pid: pair for pid, pair in names.items() if not called_alike(*pair)} == {}
        assert recorded.pid in table.procs
        long_there = {
            pid for other in recorded.tables if other is not table for pid in other.procs
        } & table.procs.keys()
        assert long_there - before.keys() - after.keys() == set()


def test_memory_in_a_past_table_is_what_atop_saw_then(recorded: Recorded) -> None:
    same = 0
    for table, before, after in moments(recorded):
        for pid in table.procs.keys() & before.keys() & after.keys():
            ours, least, most = table.procs[pid]["memMB"], *sorted((before[pid].mem_mb, after[pid].mem_mb))
            works = table.procs[pid]["cpu"] != 0 and pid != recorded.pid
            if most - least < MEM_OFF[0] and not works:  # what moved in these seconds may have been anything
                off = max(MEM_OFF[0], MEM_OFF[1] * most)
                assert least - off <= ours <= most + off, (pid, table.procs[pid], before[pid], after[pid])
                same += 1
    assert same > 10 * len(recorded.tables)
