"""How the agent ends: on a signal, whichever thread that comes in by, and when one of its loops failed."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.conftest import ROOT, AgentStarter
from tests.agent.toyhub import ToyHub
from tests.patience import PATIENCE

TGKILL = {"x86_64": 234, "aarch64": 131}
FAILING = "import agent.__main__ as agent; agent.Reports.run = lambda self: 1 / 0; agent.main()"


def threads(pid: int) -> list[int]:
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


@pytest.mark.parametrize("which", [0, 1, -1], ids=["main", "second", "last"])
def test_a_signal_ends_it_whichever_thread_it_comes_in_by(hub: ToyHub, start_agent: AgentStarter, which: int) -> None:
    agent = start_agent()
    hub.wait_for(lambda: hub.reports)
    thread = threads(agent.pid)[which]
    assert ctypes.CDLL(None).syscall(TGKILL[platform.machine()], agent.pid, thread, signal.SIGTERM) == 0
    assert agent.wait(timeout=10 * PATIENCE) == 0


def test_a_loop_that_fails_ends_the_agent_to_be_started_again(hub: ToyHub, tmp_path: Path) -> None:
    settings = {"API": hub.address, "AGENT_ID": "srv-1", "ENROLMENT_KEY": "the-key", "STATE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", FAILING, "--config", os.devnull],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert "a loop failed: the agent ends, to be started again" in ended.stderr
    assert "ZeroDivisionError" in ended.stderr
