"""Reports that tell only the processes that changed, to a hub that knows an earlier table, and all of them else."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent import config, report
from agent.hub import Hub
from agent.hubclock import HubClock
from agent.leasebook import LeaseBook, machine_clock
from agent.leases import Leases
from agent.report import Known, Reports
from agent.sampler import Sample
from agent.servicetable import ServiceTable
from agent.tablechanges import Table
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import Json, ToyHub, told_by_changes

Starter = Callable[..., subprocess.Popen[bytes]]
Loop = Callable[[], None]
QUICK = 0.15  # seconds


def every(_report: Json) -> bool:
    return True


def is_whole(report: Json) -> bool:
    return "changes" not in report


def waiting(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "backlog").glob("*.report"))


class Refusing:
    """Refuses each report of changes, and keeps what it would have meant."""

    def __init__(self, hub: ToyHub, status: int) -> None:
        self.hub, self.status = hub, status
        self.meant: list[Json] = []

    def __call__(self, report: Json) -> tuple[int, Json] | None:
        if is_whole(report):
            return None
        procs = told_by_changes(self.hub.tables[report["base"]], report["changes"])
        with self.hub.changed:
            self.meant.append({**report, "procs": procs})
        return self.status, {"errors": {"procs": "is missing"}}


@pytest.fixture
def loop(
    hub: ToyHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_descriptors_left: None
) -> Iterator[Callable[[], None]]:
    """Starts the agent's report loop in this process, and faster than an agent may be."""
    monkeypatch.setattr(report, "LEAST_SEC", QUICK)
    hub.interval = QUICK
    environ = {"API": hub.address, "AGENT_ID": "srv-1", "STATE_DIR": str(tmp_path), "INTERVAL": "1"}
    settings, clock, stop = config.load(environ), HubClock(), threading.Event()
    table = ServiceTable([], settings.allow)
    leases = Leases(LeaseBook(tmp_path / "leases.json", machine_clock()), table, settings.allow, clock, 0, stop)
    running = threading.Thread(target=Reports(settings, Hub(settings, clock), table, leases, stop).run)
    yield running.start
    stop.set()
    running.join()


def test_a_hub_that_knows_the_table_is_told_what_changed(
    hub: ToyHub, start_agent: AgentStarter, start: Starter
) -> None:
    hub.knows = every
    start_agent()
    hub.wait_for(lambda: len(hub.reports) >= 2)
    child = start("sleep", "600")
    hub.wait_for(lambda: any(p["pid"] == child.pid and p["name"] == "sleep" for p in hub.reports[-1]["procs"]))
    child.kill()
    child.wait()
    hub.wait_for(lambda: all(p["pid"] != child.pid for p in hub.reports[-1]["procs"]))
    reports = list(hub.reports)
    assert [is_whole(r) for r in reports] == [True] + [False] * (len(reports) - 1)
    assert [r["base"] for r in reports[1:]] == [r["ts"] for r in reports[:-1]]
    assert any(len(r["changes"]["procs"]) < len(r["procs"]) / 2 for r in reports[1:])
    assert {"load", "procsTotal", "seq", "runId", "sentAt"} <= reports[-1].keys()


def test_a_hub_that_says_nothing_gets_whole_reports(hub: ToyHub, loop: Loop) -> None:
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 4)
    assert all("base" not in r and "changes" not in r for r in hub.reports)
    assert list(hub.reports[2]["procs"][0]) == [
        *("name", "pid", "startTicks", "user", "cmdline", "ppid", "cpu", "memMB", "status", "threads"),
    ]


@pytest.mark.parametrize("status", [409, 400, 413, 422])
def test_refused_changes_are_sent_again_at_once_whole(
    hub: ToyHub, loop: Loop, start: Starter, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    refusing = Refusing(hub, status)
    hub.knows, hub.refuse = every, refusing
    caplog.set_level("INFO")
    loop()
    hub.wait_for(lambda: hub.reports)
    start("sleep", "600")
    hub.wait_for(lambda: len(hub.reports) >= 4)
    meant, taken = refusing.meant[:3], hub.reports[1:4]
    for changes, whole in zip(meant, taken, strict=True):
        assert is_whole(whole)
        assert changes["procs"] == whole["procs"]
        told = {name: value for name, value in changes.items() if name not in ("base", "changes", "sentAt")}
        assert told == {name: value for name, value in whole.items() if name != "sentAt"}
    assert [r["seq"] for r in hub.reports[:4]] == [1, 2, 3, 4]
    assert not waiting(tmp_path)
    assert "the hub asks for all processes again" in caplog.messages


def test_after_a_refusal_it_builds_on_what_the_hub_says_then(hub: ToyHub, loop: Loop) -> None:
    hub.knows = every
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 2)
    hub.tables.clear()  # it was started anew
    count = len(hub.reports)
    hub.wait_for(lambda: len(hub.reports) >= count + 3)
    assert [is_whole(r) for r in hub.reports[count : count + 3]].count(True) <= 1
    assert any(is_whole(r) for r in hub.reports[1:])
    assert not is_whole(hub.reports[-1])


def test_a_sample_that_is_refused_whole_too_is_dropped(
    hub: ToyHub, loop: Loop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.knows = every
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 2)
    refused: list[Json] = []

    def refuse(report: Json) -> tuple[int, Json]:
        hub.note(refused, report)
        return 400, {"errors": {"load": "is wrong"}}

    hub.refuse = refuse
    hub.wait_for(lambda: len(refused) >= 4)
    hub.refuse = lambda report: None
    assert [is_whole(r) for r in refused[:4]] == [False, True, True, True]
    assert refused[0]["ts"] == refused[1]["ts"]
    count = len(hub.reports)
    hub.wait_for(lambda: len(hub.reports) > count)
    assert not waiting(tmp_path)
    assert "the hub does not take a report: dropped" in caplog.messages


def test_what_waits_is_whole_and_so_is_the_first_one_after_it(hub: ToyHub, loop: Loop, tmp_path: Path) -> None:
    hub.knows = every
    hub.retry_after = "1"
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 3)
    hub.report_answer = (503, {})
    eventually(lambda: len(waiting(tmp_path)) >= 2, 20)
    before = len(hub.reports)
    hub.report_answer = None
    eventually(lambda: not waiting(tmp_path), 30)
    hub.wait_for(lambda: any(not is_whole(r) for r in hub.reports[before:]))
    back = hub.reports[before:]
    assert is_whole(back[0])
    late = [r for r in back if r["seq"] < back[0]["seq"]]
    assert len(late) >= 2
    assert all(map(is_whole, late))


def test_after_a_lost_answer_all_are_told_again(hub: ToyHub, loop: Loop, tmp_path: Path) -> None:
    hub.knows = every
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 3)
    hub.mute = True
    eventually(lambda: waiting(tmp_path), 30)
    muted = len(hub.reports)
    hub.mute = False
    eventually(lambda: not waiting(tmp_path), 60)
    lost = next(r for r in hub.reports[2:] if [s["ts"] for s in hub.reports].count(r["ts"]) > 1)
    first, again = [r for r in hub.reports if r["ts"] == lost["ts"]][:2]
    assert [is_whole(first), is_whole(again)] == [False, True]
    assert again["procs"] == first["procs"]
    assert is_whole(hub.reports[muted])


def test_while_the_server_is_watched_reports_build_on_the_last_usual_one(hub: ToyHub, loop: Loop) -> None:
    def usual(report: Json) -> bool:
        return bool(report["seq"] % 4 == 1)

    hub.grid, hub.knows = 4 * QUICK, usual
    loop()
    hub.wait_for(lambda: len(hub.reports) >= 10)
    known = hub.reports[0]["ts"]
    for told in hub.reports[1:10]:
        assert told["base"] == known
        known = told["ts"] if told["ts"] in hub.tables else known
    assert len(hub.tables) >= 3


def test_a_new_start_tells_all(hub: ToyHub, start_agent: AgentStarter) -> None:
    hub.knows = every
    agent = start_agent()
    hub.wait_for(lambda: len(hub.reports) >= 2)
    agent.terminate()
    agent.wait(60)
    start_agent(ENROLMENT_KEY="")
    hub.wait_for(lambda: len({r["runId"] for r in hub.reports}) == 2)
    assert is_whole(hub.reports[-1])


def test_all_are_told_again_after_some_time(hub: ToyHub, monkeypatch: pytest.MonkeyPatch, loop: Loop) -> None:
    hub.knows = every
    monkeypatch.setattr(report, "WHOLE_SEC", 6 * QUICK)
    loop()
    hub.wait_for(lambda: sum(is_whole(r) and not is_whole(before) for before, r in pairwise(hub.reports)) >= 2)
    assert hub.reports[1]["base"] == hub.reports[0]["ts"]


def sample(ts: float) -> Sample:
    return Sample(ts, "{", Table([]))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its only element is the time since boot."""
    now = [1000.0]
    monkeypatch.setattr(report, "since_boot", lambda: now[0])
    return now


def test_no_table_goes_back_to_a_whole_one_for_more_than_ten_minutes(clock: list[float]) -> None:
    known = Known()
    known.heard(1.5, sample(1.5), whole=True)
    for number in range(1, 60):
        clock[0] += 10
        assert known.base() is not None
        known.heard(1.5 + number, sample(1.5 + number), whole=False)
    clock[0] += 10
    assert known.base() is None
    known.heard(None, sample(100.0), whole=True)  # one that the hub does not keep
    assert known.base() is None
    known.heard(101.0, kept := sample(101.0), whole=True)
    assert known.base() is kept


@pytest.mark.parametrize("said", [7.25, "1.5", True, [1.5], {}, float("nan"), None])
@pytest.mark.parametrize("late", [True, False])
def test_a_base_that_it_does_not_have_is_none(clock: list[float], said: Any, late: bool) -> None:
    known = Known()
    known.heard(1.5, sample(1.5), whole=True)
    known.heard(said, None if late else sample(2.5), whole=True)
    base = known.base()
    assert (base.ts if base else None) == (1.5 if said is None else None)


def test_the_answer_to_one_that_has_waited_may_name_the_base_that_holds(clock: list[float]) -> None:
    known = Known()
    known.heard(1.5, sample(1.5), whole=True)
    known.heard(1.5, None, whole=True)
    base = known.base()
    assert base is not None
    assert base.ts == 1.5
