"""Commands under which the agent itself, or its machine, goes down: known again after the next start."""

from __future__ import annotations

import os
from typing import Any

from agent import host

_TOLD = ("ack", "before", "startedAt", "command", "exitCode", "output")


def placed(seen: dict[str, Any]) -> dict[str, Any]:
    """A service's state with the boot it was seen in: in another one its pid and start ticks name another process."""
    return {**seen, "boot": host.boot()}


def is_it(seen: dict[str, Any]) -> bool:
    """Whether this agent is the service's main process."""
    return bool(seen.get("mainPid") == os.getpid())


def cannot(manager: str, main_pid: object) -> tuple[str, ...]:
    """The verbs this agent cannot do to a service with that main process, because it would not come back."""
    if main_pid != os.getpid():
        return ()
    # supervisord has no restart of its own: it is a stop, after which nobody is left to start.
    return ("stop", "restart") if manager == "supervisord" else ("stop",)


def told(entry: dict[str, Any]) -> dict[str, Any]:
    """What the journal has of a command that an earlier run was at work on, as its result tells it."""
    facts = {name: entry[name] for name in _TOLD if name in entry}
    if entry.get("itself"):  # the tool was killed with the agent: what it said is no news
        return {**facts, "exitCode": None, "output": "", "reason": "this was the agent itself, which is back"}
    boot = host.boot()
    if entry.get("before", {}).get("boot", boot) != boot:
        return {**facts, "reason": "the system was booted anew while the agent was at work on this"}
    return {**facts, "reason": "the agent ended while it was at work on this, and looked again when it was back"}
