"""A command as the hub sends it, checked; and what every kind of action has in common."""

from __future__ import annotations

import re
import threading
from typing import Any, NamedTuple, Protocol

from agent import hubclock
from agent.allow import LEASE_VERBS, VERBS
from agent.journal import Entry
from agent.managers.base import Acted, State

Result = dict[str, Any]
_COMMAND_ID = re.compile(r"^[A-Za-z0-9-]{1,64}$")


class Refused(Exception):
    """This command may not run; the text is for the operator."""


class NotRun(Exception):
    """It was acknowledged, and nothing was done; the text begins with "not run"."""


class Command(NamedTuple):
    """A command as the hub sent it, checked; `until` is its executeBy by this machine's time since boot.

    Turned on arrival, when the hub's time is known by the same answer: no later setting of its clock moves it.
    """

    id: str
    verb: str
    target: str
    until: float
    expect: dict[str, Any] | None
    args: dict[str, Any]

    def left(self) -> float:
        """Seconds in which it may still begin."""
        return self.until - hubclock.since_boot()


class Action(Protocol):
    """One command that may run; `before` is what it acts on as seen now."""

    before: State

    def act(self, seconds: float) -> Acted:
        """Do it and wait for its end, at most so many seconds; what went wrong is in what it returns. Raises NotRun."""

    def settled(self, stop: threading.Event, hub_now: float) -> Result:
        """Watch what came of it: after, changes, log. Ends early when stopped; hub_now in epoch seconds."""


class Kind(Protocol):
    """What a command can act on: services, or processes."""

    def check(self, command: Command) -> Action:
        """The action, ready to run; raises Refused when this server does not want it."""

    def seen_now(self, entry: Entry, stop: threading.Event, hub_now: float) -> Result:
        """For a command an earlier run was at work on: as `settled`, from now on; outcome, where that is known."""


def command_id(raw: object) -> str | None:
    """The id of what the hub sent, or None where it has no usable one."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _COMMAND_ID.fullmatch(found) else None


def parse(raw: dict[str, Any], hub_now: float) -> Command:
    """A command as the hub sent it just now, by its clock in epoch seconds; raises Refused naming what is wrong."""
    verb, target, expect, args = raw.get("cmd"), raw.get("target"), raw.get("expect"), raw.get("args") or {}
    if verb not in (*VERBS, *LEASE_VERBS):
        raise Refused(f"this agent does not know the command {str(verb)[:40]!r}")
    if not isinstance(target, str):
        raise Refused("target is not a text")
    if expect is not None and not isinstance(expect, dict):
        raise Refused("expect is not an object")
    if not isinstance(args, dict):
        raise Refused("args is not an object")
    try:
        until = hubclock.since_boot() + hubclock.parse(raw.get("executeBy")) - hub_now
    except ValueError as error:
        raise Refused(f"executeBy: {error}") from error
    return Command(raw["id"], verb, target, until, expect, args)
