"""Commands, by a real agent on a real supervisord: at most once, and with the truth of what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.hubclock import iso
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import ToyHub

Agent = subprocess.Popen[bytes]


@pytest.fixture
def agent(hub: ToyHub, start_agent: AgentStarter, supervisor: str) -> Callable[..., Agent]:
    """Starts an agent that may do everything with the real supervisord, and waits until it reports."""

    def start(**environ: str) -> Agent:
        seen = len(hub.reports)
        started = start_agent(**{"SUPERVISOR_SOCKET": supervisor, "ALLOW": "*:*", **environ})
        hub.wait_for(lambda: len(hub.reports) > seen)
        return started

    return start


def starts(tmp_path: Path) -> int:
    """How often the program web was started, by its own count."""
    return len((tmp_path / "starts").read_text().splitlines())


def result(hub: ToyHub, number: int = 1) -> dict[str, Any]:
    hub.wait_for(lambda: len(hub.results) >= number)
    return hub.results[number - 1][1]


def journal(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "state" / "journal.jsonl").read_text().splitlines()]


def test_a_restart_is_done_and_proven(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    agent()
    command = hub.command(1, "restart", "web")
    told = result(hub)
    assert hub.acks[0][0] == hub.results[0][0] == command["id"]
    assert told["outcome"] == "done"
    assert told["exitCode"] == 0
    assert told["output"] == "stopProcess: done\nstartProcess: done"
    assert told["before"]["activeState"] == told["after"]["activeState"] == "active"
    assert told["before"]["mainPid"] != told["after"]["mainPid"]
    assert 0.4 <= told["after"]["settledSec"] < 3
    assert told["log"][-1] == "listening"
    assert told["startedAt"] <= told["changes"][0]["t"] <= told["endedAt"]
    assert starts(tmp_path) == 2
    eventually(lambda: [s["step"] for s in journal(tmp_path)] == ["received", "acting", "acting", "done", "reported"])


def test_a_program_that_dies_while_it_is_watched_is_seen(hub: ToyHub, agent: Callable[..., Agent]) -> None:
    agent(SETTLE_SEC="3")
    hub.command(1, "start", "shortlived")
    told = result(hub)
    assert told["outcome"] == "done"
    assert told["after"]["activeState"] == "inactive"
    assert told["after"]["settledSec"] >= 2.9, "watched until the new state has held as long"
    assert [c["activeState"] for c in told["changes"]] == ["active", "inactive"]


def test_a_start_that_fails_is_failed(hub: ToyHub, agent: Callable[..., Agent]) -> None:
    agent()
    hub.command(1, "start", "broken")
    told = result(hub)
    assert told["outcome"] == "failed"
    assert told["reason"].startswith("exit code")
    assert told["after"]["activeState"] == "failed"


@pytest.mark.parametrize(
    ("cmd", "target", "words"),
    [
        ("stop", "web", "owner does not allow"),
        ("restart", "nothing", "no service nothing"),
        ("reload", "web", "can reload"),
        ("kill", "web", "does not know the command 'kill'"),
        ("restart", "--help", "not the name of a service"),
        ("restart", "web\n", "not the name of a service"),
    ],
)
def test_what_may_not_run_is_refused_without_an_ack(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, cmd: str, target: str, words: str
) -> None:
    agent(ALLOW="restart,reload:*")
    hub.command(1, cmd, target)
    told = result(hub)
    assert told["outcome"] == "refused"
    assert words in told["reason"]
    assert not hub.acks
    assert starts(tmp_path) == 1


def test_nothing_is_allowed_by_default(hub: ToyHub, agent: Callable[..., Agent]) -> None:
    agent(ALLOW="")
    hub.command(1, "restart", "web")
    assert result(hub)["outcome"] == "refused"


def test_a_service_that_is_not_the_one_seen_is_refused(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    agent()
    web = next(s for s in hub.reports[0]["services"] if s["name"] == "web")
    hub.command(1, "restart", "web", expect={"mainPid": 99999999, "startTicks": 1})
    assert result(hub)["reason"] == (
        f"the service changed since you looked: main PID was 99999999, is {web['mainPid']}"
    )
    hub.command(2, "restart", "web", expect={"mainPid": web["mainPid"], "startTicks": web["startTicks"]})
    assert result(hub, 2)["outcome"] == "done"
    assert starts(tmp_path) == 2


def test_a_command_that_came_again_is_answered_and_not_run(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    agent()
    command = hub.command(1, "restart", "web")
    first = result(hub)
    hub.command(1, "restart", "web")
    assert result(hub, 2) == first
    assert len(hub.acks) == 1
    assert hub.results[1][0] == command["id"]
    assert starts(tmp_path) == 2


def test_what_the_hub_took_back_is_not_run(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    agent()
    hub.ack_answer = (409, {"state": "expired"})
    hub.command(1, "restart", "web")
    hub.wait_for(lambda: hub.acks)
    hub.ack_answer = None
    hub.command(2, "restart", "web")
    hub.wait_for(lambda: hub.results)
    assert [r[0][-1] for r in hub.results] == ["2"]
    assert starts(tmp_path) == 2


def test_without_a_clear_yes_in_time_it_is_not_run(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    agent()
    hub.ack_answer = (500, {})
    hub.command(1, "restart", "web", within=2.5)
    told = result(hub)
    assert told["outcome"] == "failed"
    assert told["reason"].startswith("not run")
    assert starts(tmp_path) == 1


def test_a_command_whose_time_is_over_is_not_run(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    agent()
    hub.command(1, "restart", "web", executeBy=iso(time.time() - 1))
    assert result(hub)["reason"].startswith("not run")
    assert not hub.acks
    assert starts(tmp_path) == 1


def test_commands_that_arrive_together_run_side_by_side(hub: ToyHub, agent: Callable[..., Agent]) -> None:
    """Each is watched for its settle time: in a row the last one would miss its delivery deadline."""
    agent(SETTLE_SEC="3")
    with hub.changed:
        hub.command(1, "restart", "web")
        hub.command(2, "start", "jobs:one")
    result(hub, 2)
    first, second = (told for _id, told in hub.results)
    assert {first["outcome"], second["outcome"]} == {"done"}
    assert second["startedAt"] < first["endedAt"]


def test_a_result_is_kept_until_the_hub_takes_it(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    running = agent()
    hub.result_answer = (500, {})
    hub.command(1, "restart", "web")
    eventually(lambda: any(s["step"] == "done" for s in journal(tmp_path)))
    running.kill()
    running.wait()
    hub.result_answer = None
    agent()
    assert result(hub)["outcome"] == "done"
    assert starts(tmp_path) == 2


def test_killed_while_acting_it_runs_once_and_says_interrupted(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    running = agent(SETTLE_SEC="30")
    hub.command(1, "restart", "web")
    eventually(lambda: (tmp_path / "state/journal.jsonl").read_text().count('"acting"') == 2)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    agent()
    told = result(hub)
    assert told["outcome"] == "interrupted"
    assert told["after"]["activeState"] == "active"
    assert told["after"]["mainPid"] != told["before"]["mainPid"]
    assert told["exitCode"] == 0
    hub.command(1, "restart", "web")
    assert result(hub, 2) == told
    assert starts(tmp_path) == 2


def test_killed_before_acting_it_says_not_run_and_may_be_asked_again(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    running = agent()
    hub.ack_answer = (503, {})
    hub.command(1, "restart", "web", within=60)
    hub.wait_for(lambda: hub.acks)
    running.kill()
    running.wait()
    hub.ack_answer = None
    hub.result_answer = (409, {"state": "delivered"})  # for this hub it never began
    agent()
    assert result(hub)["outcome"] == "interrupted"
    assert result(hub)["reason"].startswith("not run")
    assert starts(tmp_path) == 1
    hub.result_answer = None
    hub.command(1, "restart", "web")
    assert result(hub, 2)["outcome"] == "done"
    assert starts(tmp_path) == 2


def test_sigterm_in_the_middle_of_an_action_ends_it_at_once(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    running = agent(SETTLE_SEC="30")
    hub.command(1, "restart", "web")
    eventually(lambda: '"acting"' in (tmp_path / "state/journal.jsonl").read_text())
    started = time.monotonic()
    running.terminate()
    assert running.wait(60) == 0
    assert time.monotonic() - started < 10  # far below the 30 s it would watch
    agent()
    assert result(hub)["outcome"] == "interrupted"
    assert starts(tmp_path) <= 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a small filesystem needs root")
def test_with_a_full_disk_it_refuses_and_says_so(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    state = tmp_path / "small"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", state], check=True)
    try:
        agent(STATE_DIR=str(state))
        with pytest.raises(OSError, match="No space left"):
            (state / "filler").write_bytes(b"x" * 100_000)
        hub.command(1, "restart", "web")
        told = result(hub)
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)
    assert told["outcome"] == "refused"
    assert "journal cannot be written: No space left on device" in told["reason"]
    assert not hub.acks
    assert starts(tmp_path) == 1
