"""Servers with processes and services, and agents that take commands, for the browser tests."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import requests

from tests.browser.hub import Agent

NGINX, BROKEN, CLOSED = "nginx.service", "logrotate.service", "ssh.service"
RUNNING = {"activeState": "active", "subState": "running", "mainPid": 123, "startTicks": 4711}
RUNNING_ANEW = {"activeState": "active", "subState": "running", "mainPid": 456, "startTicks": 9001, "settledSec": 5}
BOOT = {"bootTime": 1_726_000_000, "ticksPerSec": 100, "cpuCount": 8}


_numbers = count(1)


def another(new_agent: Callable[..., Agent], listed: list[dict[str, Any]]) -> Agent:
    """A server of its own, with these processes and three services."""
    return new_agent(f"page-{next(_numbers)}", procs=listed, services=services(), procsTotal=1873, **BOOT)


def proc(pid: int, cpu: float | None = 0.0, **more: Any) -> dict[str, Any]:
    """A process that says of itself who it is."""
    return {
        "name": f"worker-{pid}", "pid": pid, "cpu": cpu, "memMB": 10, "status": "sleeping", "user": "app",
        "cmdline": f"/srv/worker --number {pid}", "ppid": 1, "threads": 1, "startTicks": pid * 10, **more,
    }  # fmt: skip


def procs(count: int = 500) -> list[dict[str, Any]]:
    """So many processes, the first with the most CPU: 50.0, 49.9 …"""
    return [proc(1000 + place, cpu=round(max(0.0, 50 - place / 10), 1)) for place in range(count)]


def services() -> list[dict[str, Any]]:
    """One that runs, one that failed, and one its owner allows nothing on."""
    every = ["start", "stop", "restart", "reload"]
    return [
        {"name": NGINX, **RUNNING, "description": "A web server", "verbs": every, "tasks": 9},
        {"name": BROKEN, "activeState": "failed", "subState": "failed", "verbs": every},
        {"name": CLOSED, "activeState": "active", "subState": "running", "verbs": [], "can": ["stop", "restart"]},
    ]


def take(agent: Agent, wait: int = 5) -> dict[str, Any]:
    """The agent's next command, which comes within so many seconds."""
    address = f"{agent.hub.url}/api/actions/queue/{agent.id}?wait={wait}"
    answer = requests.get(address, headers={"X-Agent-Token": agent.token}, timeout=wait + 10)
    found: dict[str, Any] = answer.json()["commands"][0]
    return found


def begin(agent: Agent, command: dict[str, Any]) -> None:
    """The agent says it runs now."""
    agent.hub.post(f"/api/actions/queue/{agent.id}/{command['id']}/ack", {}, agent.token)


def finish(agent: Agent, command: dict[str, Any], **result: Any) -> None:
    """The agent says how it went: well, unless result says otherwise."""
    body = {"outcome": "done", "exitCode": 0, "before": RUNNING, "after": RUNNING_ANEW, **result}
    agent.hub.post(f"/api/actions/queue/{agent.id}/{command['id']}/result", body, agent.token)


STOPPED = {"activeState": "inactive", "subState": "dead", "settledSec": 5}


def lend(agent: Agent, command: dict[str, Any], until: str) -> None:
    """The agent has stopped nginx for a time, and says so in its result and its next report."""
    begin(agent, command)
    finish(agent, command, after=STOPPED, until=until)
    tell_lease(agent, command, "held", until)


def tell_lease(agent: Agent, command: dict[str, Any], state: str, until: str, runs: bool = False, **more: Any) -> None:
    """A report with the lease, and nginx running or not."""
    listed = services()
    if not runs:
        listed[0] |= {"activeState": "inactive", "subState": "dead", "mainPid": None, "startTicks": None}
    lease = {"target": NGINX, "command": command["id"], "state": state, "until": until, **more}
    agent.report(procs=procs(20), services=listed, features=["leases"], leases=[lease], **BOOT)
