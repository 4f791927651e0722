"""Commands on services: what may be done to one, and doing it by its manager."""

from __future__ import annotations

import threading

from agent import itself
from agent.allow import UNIT_NAME, Allow
from agent.command import Action, Command, Refused, Result
from agent.evidence import Settling, differs_from, last_lines
from agent.journal import Entry
from agent.logs import log
from agent.managers.base import Acted, Manager, ManagerError, State
from agent.servicetable import ServiceTable

_GOING_DOWN_SEC = 5.0  # between a service manager that answers no more and our own end


class ServiceActions:
    """The services of this server; `settle_sec` is how long one must keep its state after an action."""

    def __init__(self, table: ServiceTable, allow: Allow, settle_sec: float) -> None:
        self._table = table
        self._allow = allow
        self._settle_sec = settle_sec

    def check(self, command: Command) -> Action:
        """The action, ready to run; raises Refused naming what stands against it."""
        if not UNIT_NAME.fullmatch(command.target):
            raise Refused(f"{command.target[:80]!r} is not the name of a service")
        if not self._allow.permits(command.verb, command.target):
            raise Refused(f"this server's owner does not allow the hub to {command.verb} {command.target}")
        manager = self._table.manager_of(command.target)
        if manager is None:
            raise Refused(f"there is no service {command.target} on this server")
        if command.verb not in self._table.possible(command.target):
            raise Refused(f"{command.target} is not a service that can {command.verb}")
        try:
            seen = itself.placed(manager.show(command.target))
        except ManagerError as error:
            raise Refused(f"not run: {error}") from error
        changed = differs_from(command.expect, seen)
        if changed:
            raise Refused(changed)
        if command.verb in itself.cannot(manager.name, seen.get("mainPid")):
            raise Refused(f"{command.target} is the agent itself, which would not come back from a {command.verb}")
        return ServiceAction(command, manager, seen, self._table, self._settle_sec)

    def seen_now(self, entry: Entry, stop: threading.Event, hub_now: float) -> Result:
        """How the service of an interrupted command is now, watched as after any action."""
        unit = str(entry.get("target", ""))
        manager = self._table.manager_of(unit)
        return watched(manager, unit, self._settle_sec, stop, hub_now) if manager else {}

    def look(self, unit: str) -> State:
        """The service as it is at this moment; empty where nobody can tell."""
        manager = self._table.manager_of(unit)
        try:
            return manager.show(unit) if manager else {}
        except ManagerError:
            return {}


class ServiceAction:
    """One action on one service."""

    def __init__(
        self, command: Command, manager: Manager, before: State, table: ServiceTable, settle_sec: float
    ) -> None:
        self.before = before
        self._verb = command.verb
        self._unit = command.target
        self._manager = manager
        self._table = table
        self._settle_sec = settle_sec

    def act(self, seconds: float) -> Acted:
        """Let the manager do it; no exit code when it did not answer."""
        try:
            return self._manager.act(self._verb, self._unit, seconds)
        except ManagerError as error:
            return Acted(f"{self._verb} {self._unit}", None, str(error))

    def settled(self, stop: threading.Event, hub_now: float) -> Result:
        """The state that held for the settle time, how it came there, and the newest log lines."""
        self._table.stale()
        return watched(self._manager, self._unit, self._settle_sec, stop, hub_now)


def watched(manager: Manager, unit: str, seconds: float, stop: threading.Event, hub_now: float) -> Result:
    """A service's state once it has held for so many seconds, how it came there, and its newest log lines."""
    settling = Settling(manager, unit, seconds, hub_now)
    seen: Result = {}
    try:
        seen["after"] = itself.placed(settling.watch(stop))
    except ManagerError as error:
        log.warning("the service cannot be seen after the action", extra={"error": str(error)})
        stop.wait(_GOING_DOWN_SEC)  # of a machine that goes down: then the next start tells what came of it
    return {**seen, "changes": settling.changes, "log": last_lines(manager, unit)}
