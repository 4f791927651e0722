"""A toy hub, a real supervisord and real agent processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.toyhub import ToyHub
from tests.patience import PATIENCE
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
AgentStarter = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def hub() -> Iterator[ToyHub]:
    with ToyHub(free_port()) as toy:
        yield toy


@pytest.fixture
def start_agent(hub: ToyHub, tmp_path: Path) -> Iterator[AgentStarter]:
    """Starts real agents with the toy hub's address; ends them after the test."""
    started: list[subprocess.Popen[bytes]] = []
    config = tmp_path / "agent.env"
    config.touch()

    def start(**environ: str) -> subprocess.Popen[bytes]:
        settings = {
            "PATH": os.environ["PATH"],
            "API": hub.address,
            "AGENT_ID": "srv-1",
            "ENROLMENT_KEY": "the-key",
            "STATE_DIR": str(tmp_path / "state"),
            "INTERVAL": "1",
            "SETTLE_SEC": "0.5",
        }
        with (tmp_path / "agent.log").open("ab") as log:
            agent = subprocess.Popen(
                [sys.executable, "-m", "agent", "--config", str(config)],
                cwd=ROOT,
                env={**settings, **environ},
                stderr=log,
            )
        started.append(agent)
        return agent

    yield start
    for agent in started:
        agent.kill()
        agent.wait()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[str]:
    """The socket of a real supervisord with programs web, broken, shortlived, jobs:one; web counts its starts,
    broken can be started only while the file `whole` is there."""
    path = tmp_path / "supervisor.sock"
    config = tmp_path / "supervisord.conf"
    config.write_text(
        textwrap.dedent(f"""
        [unix_http_server]
        file={path}
        [supervisord]
        logfile={tmp_path}/supervisord.log
        pidfile={tmp_path}/supervisord.pid
        childlogdir={tmp_path}
        [rpcinterface:supervisor]
        supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
        [program:web]
        command=/bin/sh -c 'echo started >> {tmp_path}/starts; echo listening; exec sleep 1000'
        autostart=true
        startsecs=0
        [program:broken]
        command=/bin/sh -c 'test -e {tmp_path}/whole && exec sleep 1000'
        autostart=false
        startretries=0
        [program:shortlived]
        command=/bin/sleep 1.2
        autostart=false
        autorestart=false
        startsecs=0
        [program:one]
        command=/bin/sleep 1000
        autostart=false
        [group:jobs]
        programs=one
        """)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)], stdout=subprocess.DEVNULL
    )
    eventually(lambda: (tmp_path / "starts").exists() and path.exists())
    yield str(path)
    process.terminate()
    process.wait()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes in a session of their own, which is not the agent's."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*argv: str, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(argv or ("sleep", "600"), start_new_session=True, **options)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def no_descriptors_left() -> Iterator[None]:
    """A process table keeps one for each process as long as the agent lives; those of a test end with it."""
    before = {int(name) for name in os.listdir("/proc/self/fd")}
    yield
    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - before:
        with contextlib.suppress(OSError):  # the listing's own, closed by now
            if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/stat"):
                os.close(descriptor)


def eventually(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait until something holds; fails the test when it does not in time."""
    deadline = time.monotonic() + PATIENCE * seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
