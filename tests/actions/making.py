"""Makes the rows and bodies that tests of commands start from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from actions import states, wire
from actions.models import Command
from servers import proctable
from servers.models import Newest, Server, Service
from servers.wire import Proc

NGINX = "nginx.service"
ALL_VERBS = list(states.SERVICE_VERBS)
RUNNING = {"activeState": "active", "subState": "running", "mainPid": 123, "startTicks": 4711}
RUNNING_ANEW = {"activeState": "active", "subState": "running", "mainPid": 456, "startTicks": 9001, "settledSec": 5}
DEAD = {"activeState": "inactive", "subState": "dead", "settledSec": 5}
FAILED = {"activeState": "failed", "subState": "failed", "result": "exit-code", "settledSec": 5}
RESTARTED = {"outcome": "done", "exitCode": 0, "before": RUNNING, "after": RUNNING_ANEW}


def service(server: Server, name: str = NGINX, verbs: list[str] | None = None, **columns: Any) -> Service:
    """A service as the server's agent listed it, running."""
    given = {"active_state": "active", "sub_state": "running", "main_pid": 123, "start_ticks": 4711, **columns}
    return Service.objects.create(server=server, name=name, verbs=ALL_VERBS if verbs is None else verbs, **given)


def command(server: Server, state: str = states.QUEUED, **columns: Any) -> Command:
    """A command in that state, with the times that state has."""
    now = timezone.now()
    given: dict[str, Any] = {
        "cmd": states.RESTART,
        "target": NGINX,
        "asked_by_name": "oleg",
        "created_at": now,
        "deliver_by": now + timedelta(seconds=60),
    }
    if state not in (states.QUEUED, states.CANCELLED, states.EXPIRED):
        given |= {"delivered_at": now, "lease_until": now + timedelta(seconds=10), "deliveries": 1}
    if state in (states.RUNNING, states.SUCCEEDED, states.FAILED, states.UNKNOWN):
        given |= {"started_at": now, "lease_until": None, "execute_by": now + timedelta(seconds=120)}
    if state in states.ENDED:
        given["ended_at"] = now
    return Command.objects.create(server=server, state=state, **{**given, **columns})


def result(**fields: Any) -> wire.Result:
    """A decoded result; a restart that went well unless fields say otherwise."""
    return msgspec.convert({**RESTARTED, **fields}, wire.Result)


def newest(server: Server, **columns: Any) -> Newest:
    """The server's newest report, come just now."""
    now = timezone.now()
    return Newest.objects.create(server=server, **{"received_at": now, "sampled_at": now, **columns})


def ago(seconds: float) -> Any:
    """So many seconds ago."""
    return timezone.now() - timedelta(seconds=seconds)


SLEEP = Proc(
    "sleep", 4711, 0.5, 12.0, "sleeping", user="ana", cmdline="sleep 600", ppid=900, threads=1, start_ticks=815
)
BOOT = "1cb6748b-5488-406f-85f0-d21503a58696"
TERM = {"bootId": BOOT, "pid": 4711, "startTicks": 815, "signal": "TERM"}
CAN_SIGNAL = {
    "features": ["signals"],
    "allow": ["signal,renice:sle*"],
    "bootId": BOOT,
    "bootTime": 1_700_000_000,
    "ticksPerSec": 100,
}


def with_processes(server: Server, *procs: Proc, facts: dict[str, Any] | None = None, **columns: Any) -> Newest:
    """The server's newest report with these processes (a sleep, where none is given) and an agent that can signal."""
    table = list(procs) or [SLEEP]
    found = Newest.objects.filter(server=server).first() or newest(server)
    given = {"procs": proctable.pack(table), "procs_total": len(table), "facts": {**CAN_SIGNAL, **(facts or {})}}
    for name, value in {**given, **columns}.items():
        setattr(found, name, value)
    found.save()
    return found
