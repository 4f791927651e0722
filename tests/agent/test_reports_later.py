"""What an agent could not report at its time comes later, behind what is new, and once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import ToyHub


def waiting(tmp_path: Path) -> int:
    return len(list((tmp_path / "state" / "backlog").glob("*.report")))


def away(hub: ToyHub, tmp_path: Path, reports: int) -> None:
    """The hub is away until so many reports wait; nothing of it is back yet."""
    hub.wait_for(lambda: len(hub.reports) >= 2)
    hub.close()
    eventually(lambda: waiting(tmp_path) >= reports, 20)


def runs(hub: ToyHub) -> dict[str, list[int]]:
    """The sequence numbers that came, by run of the agent, in the order of their coming."""
    found: dict[str, list[int]] = {}
    for report in hub.reports:
        found.setdefault(report["runId"], []).append(report["seq"])
    return found


def complete(seqs: list[int]) -> bool:
    return sorted(set(seqs)) == list(range(1, max(seqs) + 1))


def is_late(report: dict[str, Any]) -> bool:
    return bool(report["sentAt"] - report["ts"] > 0.9)


def test_an_absence_is_told_afterwards_new_ones_first(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    start_agent()
    away(hub, tmp_path, 6)
    before = len(hub.reports)
    hub.open()
    hub.wait_for(lambda: complete(next(iter(runs(hub).values()))) and len(hub.reports) > before + 6, 60)
    back = hub.reports[before:]
    assert not is_late(back[0])
    assert "services" in back[0]
    late = [report for report in back if is_late(report)]
    assert [report["seq"] for report in late] == sorted(report["seq"] for report in late)
    assert len({report["ts"] for report in hub.reports}) == len(hub.reports)
    assert all("services" not in report and "leases" not in report for report in late)
    assert not is_late(back[2])  # one late one at first, then the next new one
    eventually(lambda: "nothing waits any more" in (tmp_path / "agent.log").read_text())
    assert waiting(tmp_path) == 0


def test_it_is_killed_while_it_catches_up_and_tells_the_rest_after_its_return(
    hub: ToyHub, start_agent: AgentStarter, tmp_path: Path
) -> None:
    agent = start_agent()
    away(hub, tmp_path, 10)
    hub.open()
    hub.wait_for(lambda: any(map(is_late, hub.reports)), 60)
    agent.kill()
    agent.wait()
    left = waiting(tmp_path)
    assert left > 0
    start_agent(ENROLMENT_KEY="")
    eventually(lambda: waiting(tmp_path) == 0, 60)
    first = next(iter(runs(hub).values()))
    assert complete(first)
    twice = len(first) - len(set(first))
    assert twice <= 1  # what was in flight; the hub knows it by its ts


def test_they_wait_over_a_restart_while_the_hub_is_away(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    agent = start_agent()
    away(hub, tmp_path, 2)
    agent.terminate()
    assert agent.wait(60) == 0
    start_agent(ENROLMENT_KEY="")
    eventually(lambda: waiting(tmp_path) >= 4, 20)
    hub.open()
    hub.wait_for(lambda: len(runs(hub)) == 2, 60)
    eventually(lambda: waiting(tmp_path) == 0, 60)
    assert all(complete(seqs) for seqs in runs(hub).values())


@pytest.mark.parametrize("status", [401, 503])
def test_a_refusal_that_may_end_keeps_them(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path, status: int) -> None:
    hub.report_answer = (status, {})
    hub.retry_after = "1"
    start_agent()
    eventually(lambda: waiting(tmp_path) >= 2, 20)
    hub.report_answer = None
    hub.wait_for(lambda: hub.reports and complete(next(iter(runs(hub).values()))), 60)


@pytest.mark.parametrize("status", [400, 413])
def test_one_that_the_hub_never_takes_does_not_jam_the_others(
    hub: ToyHub, start_agent: AgentStarter, tmp_path: Path, status: int
) -> None:
    start_agent()
    away(hub, tmp_path, 4)
    hub.refuse = lambda report: (status, {"errors": {"ts": "is wrong"}}) if is_late(report) else None
    hub.open()
    eventually(lambda: waiting(tmp_path) == 0, 60)
    assert "does not take a report: dropped" in (tmp_path / "agent.log").read_text()
    assert not any(map(is_late, hub.reports))
    count = len(hub.reports)
    hub.wait_for(lambda: len(hub.reports) > count + 1)


def test_what_was_taken_without_an_answer_is_told_again_as_the_same(
    hub: ToyHub, start_agent: AgentStarter, tmp_path: Path
) -> None:
    """The hub has them, and the agent cannot know: they are told again, and known by their ts."""
    start_agent()
    hub.wait_for(lambda: len(hub.reports) >= 2)
    hub.mute = True
    eventually(lambda: "reports are kept for later" in (tmp_path / "agent.log").read_text(), 30)
    hub.mute = False
    eventually(lambda: waiting(tmp_path) > 0, 30)
    eventually(lambda: waiting(tmp_path) == 0, 90)
    times = sorted({report["ts"] for report in hub.reports})
    told = [report["ts"] for report in hub.reports]
    assert len(told) > len(times)  # the one in flight came twice, as the same


def test_while_the_hub_asks_for_more_the_usual_samples_stay_where_they_were(
    hub: ToyHub, start_agent: AgentStarter
) -> None:
    hub.interval = 4.0
    start_agent(INTERVAL="4")
    hub.wait_for(lambda: len(hub.reports) >= 2, 30)
    hub.interval, hub.grid = 1.0, 4.0
    hub.wait_for(lambda: len(hub.reports) >= 11, 60)
    hub.interval, hub.grid = 4.0, None
    asked = len(hub.reports)
    hub.wait_for(lambda: len(hub.reports) >= asked + 3, 60)
    began = hub.reports[1]["ts"]
    places = [round((report["ts"] - began) % 4, 1) % 4 for report in hub.reports[1:]]
    assert {round(place) % 4 for place in places[:9]} == {0, 1, 2, 3}
    assert {round(place) % 4 for place in places[-2:]} == {0}
    assert time.time() - hub.reports[-1]["ts"] < 60
