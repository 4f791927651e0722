"""Signals and nice values, on real processes: to exactly the one that was seen, and with the truth of what came."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.command import Refused
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.processes import TWO_THREADS, Starter, actions, args_of, deaf, done, named, order, ready, reaped
from tests.agent.toyhub import ToyHub


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP"])
def test_a_signal_ends_a_process(start: Starter, name: str) -> None:
    process = start()
    reaped(process)
    acted, told = done(order(process.pid, signal=name))
    assert acted == (f"kill -{name} {process.pid}", 0, "")
    assert told["after"]["status"] == "gone"
    assert process.wait(60) == -getattr(signal, f"SIG{name}")


def test_a_process_that_ignores_a_signal_is_still_there(start: Starter) -> None:
    process = deaf(start, signal.SIGTERM)
    _acted, told = done(order(process.pid, signal="TERM"))
    assert told["after"]["status"] == "sleeping"
    assert told["after"]["settledSec"] >= 0.5
    assert [change["status"] for change in told["changes"]] in (["sleeping"], ["running"])


def test_one_whose_parent_takes_no_note_is_a_zombie_and_then_left_alone(start: Starter) -> None:
    process = start()
    command = order(process.pid, signal="TERM")
    assert done(command)[1]["after"]["status"] == "zombie"
    with pytest.raises(Refused, match=f"zombie.*PID {os.getpid()}"):
        actions().check(command)


def test_stop_and_cont_stop_it_and_let_it_go_on(start: Starter) -> None:
    process = start()
    assert done(order(process.pid, signal="STOP"))[1]["after"]["status"] == "stopped"
    waits = done(order(process.pid, signal="TERM"))[1]
    assert waits["after"]["status"] == "stopped", "a signal waits until it goes on"
    reaped(process)
    assert done(order(process.pid, signal="CONT"))[1]["after"]["status"] == "gone", "and then arrives"


def test_usr1_reaches_a_process_that_stays(start: Starter) -> None:
    process = deaf(start, signal.SIGUSR1)
    acted, told = done(order(process.pid, signal="USR1"))
    assert acted.exit_code == 0
    assert told["after"]["status"] == "sleeping"


def test_renice_sets_all_threads(start: Starter) -> None:
    process = ready(start(sys.executable, "-c", TWO_THREADS, stdout=subprocess.PIPE))
    acted, told = done(order(process.pid, "renice", nice=7))
    assert acted == (f"renice -n 7 -p {process.pid}", 0, "")
    assert told["after"]["nice"] == 7
    threads = os.listdir(f"/proc/{process.pid}/task")
    assert len(threads) == 2
    assert {os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in threads} == {7}


def test_without_pidfd_it_is_signalled_as_well(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = start()
    reaped(process)
    assert done(order(process.pid, signal="KILL"))[1]["after"]["status"] == "gone"


def test_a_command_goes_the_whole_way_once(hub: ToyHub, start_agent: AgentStarter, start: Starter) -> None:
    process = start()
    name = named(process.pid)
    start_agent(ALLOW="signal:sleep")
    hub.wait_for(lambda: hub.reports)
    assert "signals" in hub.reports[0]["features"]
    reaped(process)
    told = args_of(process.pid, signal="TERM")
    sent = hub.command(1, "signal", f"{name}[{process.pid}]", args=told)
    hub.wait_for(lambda: hub.results)
    first = hub.results[0][1]
    assert first["outcome"] == "done"
    assert first["after"]["status"] == "gone"
    hub.waiting.append(sent)
    hub.wait_for(lambda: len(hub.results) == 2)
    assert hub.results[1][1] == first, "told from the journal"
    assert len(hub.acks) == 1


def test_an_agent_killed_in_the_middle_says_what_it_sees(
    hub: ToyHub, start_agent: AgentStarter, start: Starter, tmp_path: Path
) -> None:
    process = deaf(start, signal.SIGTERM)
    name = named(process.pid)
    first = start_agent(ALLOW="*:*", SETTLE_SEC="30")
    hub.wait_for(lambda: hub.reports)
    hub.command(1, "signal", f"{name}[{process.pid}]", args=args_of(process.pid, signal="TERM"))
    eventually(lambda: '"exitCode":0' in (tmp_path / "state/journal.jsonl").read_text())
    first.kill()
    first.wait()
    start_agent(ALLOW="*:*")
    hub.wait_for(lambda: hub.results)
    told = hub.results[0][1]
    assert (told["outcome"], told["exitCode"], told["after"]["status"]) == ("interrupted", 0, "sleeping")
    process.kill()
