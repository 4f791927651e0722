"""The services of this machine as last read, and which manager is asked for which."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Optional

from agent import itself
from agent.allow import Allow
from agent.logs import log
from agent.managers.base import Manager, ManagerError, Service

_DETECT_EVERY = 300.0  # seconds; a supervisord may come later than the agent
_UNTOLD = ("memMB", "tasks")  # change all the time, and say nothing about the service's state
Identity = tuple[int, int]
StartTicks = Callable[[int], Optional[int]]


class ServiceTable:
    """Reads the lists again when something hints at a change; safe to ask from both loops.

    A list is replaced as a whole, so asking needs no lock: a command never waits for a list that is being read.
    """

    def __init__(self, managers: list[Manager], allow: Allow) -> None:
        self._all = managers
        self._allow = allow
        self._reading = threading.Lock()
        self._found: list[Manager] = []
        self._detected_at = -_DETECT_EVERY
        self._services: dict[str, list[Service]] = {}  # by manager
        self._read_at: dict[str, float] = {}
        self._hints: dict[str, object] = {}
        self._failing: set[str] = set()
        self.lists_read = 0
        self.detect()

    def detect(self) -> None:
        """Find out which managers are at work here."""
        found = [m for m in self._all if m.detect()]
        if [m.name for m in found] != [m.name for m in self._found] or not self._detected_at > 0:
            log.info("service managers found", extra={"managers": [m.name for m in found]})
        self._found, self._detected_at = found, time.monotonic()
        self.lists_read += 1

    def managers(self) -> list[str]:
        """Names of the managers at work here."""
        return [m.name for m in self._found]

    def refresh(self, started: StartTicks) -> None:
        """Read again what may have changed; `started` tells a process's start ticks by its pid, None: it is gone."""
        with self._reading:
            if time.monotonic() - self._detected_at >= _DETECT_EVERY:
                self.detect()
            for manager in self._found:
                if self._due(manager, started):
                    self._read(manager)

    def stale(self) -> None:
        """After an action: read everything again at the next report."""
        self._read_at.clear()

    def main_pids(self) -> set[int]:
        """The main processes of services: the ones a report never leaves out."""
        return {pid for name in list(self._services) for pid, _ in self._mains(name)}

    def wire(self) -> list[dict[str, Any]]:
        """The list as the report has it."""
        return [self._entry(s) for m in self._found for s in self._services.get(m.name, [])]

    def manager_of(self, unit: str) -> Manager | None:
        """Who is to be asked for this service; None where nobody knows it."""
        found = self._owner(unit)
        if found is None:
            with self._reading:
                for manager in self._found:  # one that came since the last list
                    self._read(manager)
            found = self._owner(unit)
        return found

    def possible(self, unit: str) -> tuple[str, ...]:
        """The verbs the service can do, whatever its owner allows."""
        return next((s.possible for m in self._found for s in self._services.get(m.name, []) if s.name == unit), ())

    def state_of(self, unit: str) -> str:
        """The service's activeState as last listed, which may be some seconds ago; empty when it is not known."""
        listed = (s for m in self._found for s in self._services.get(m.name, []) if s.name == unit)
        return next((str(s.facts["activeState"]) for s in listed), "")

    def _owner(self, unit: str) -> Manager | None:
        return next((m for m in self._found if any(s.name == unit for s in self._services.get(m.name, []))), None)

    def _due(self, manager: Manager, started: StartTicks) -> bool:
        read_at = self._read_at.get(manager.name)
        if read_at is None or time.monotonic() - read_at >= manager.list_every:
            return True
        if manager.hint() != self._hints.get(manager.name):
            return True
        return any(started(pid) != ticks for pid, ticks in self._mains(manager.name))

    def _mains(self, name: str) -> list[Identity]:
        facts = (s.facts for s in self._services.get(name, []))
        return [(f["mainPid"], f["startTicks"]) for f in facts if f["mainPid"] is not None]

    def _read(self, manager: Manager) -> None:
        self._hints[manager.name] = manager.hint()  # before reading: a change meanwhile is read next time
        self._read_at[manager.name] = time.monotonic()
        try:
            self._services[manager.name] = manager.services()
        except ManagerError as error:
            if manager.name not in self._failing:
                log.warning("services cannot be listed", extra={"manager": manager.name, "error": str(error)})
            self._failing.add(manager.name)
            return
        self.lists_read += 1  # behind the list: who sees the number finds that
        self._failing.discard(manager.name)

    def _entry(self, service: Service) -> dict[str, Any]:
        lost = itself.cannot(service.manager, service.facts.get("mainPid"))
        possible = tuple(verb for verb in service.possible if verb not in lost)
        can = {"verbs": self._allow.verbs(possible, service.name), "can": list(possible)}
        return {"name": service.name, "manager": service.manager, **service.facts, **can}


def told(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What counts when asking whether the list changed."""
    return [{k: v for k, v in entry.items() if k not in _UNTOLD} for entry in entries]
