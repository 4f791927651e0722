"""Commands on services where one may be stopped for a time: the lease goes with what is done to the service."""

from __future__ import annotations

import threading

from agent.allow import LEASE_VERBS
from agent.command import Action, Command, NotRun, Refused, Result
from agent.journal import Entry
from agent.leasebook import LeaseError
from agent.leases import Leases
from agent.managers.base import Acted, State
from agent.service_action import ServiceActions


class LentServices:
    """Services as `ServiceActions` has them, and the leases on some of them."""

    def __init__(self, services: ServiceActions, leases: Leases) -> None:
        self._services = services
        self._leases = leases

    def check(self, command: Command) -> Action:
        """The action, ready to run; raises Refused. Who may stop a service may also change its lease; what is to be
        started again must be allowed to be started.
        """
        changes = command.verb in LEASE_VERBS
        action = self._services.check(command._replace(verb="stop") if changes else command)
        wrong = self._leases.refusal(command)
        if "forSec" in command.args and not changes:
            self._services.check(command._replace(verb="start"))
            if action.before.get("activeState") in ("inactive", "failed"):
                wrong = wrong or f"{command.target} does not run: there is nothing to stop for a time"
        if wrong:
            raise Refused(wrong)
        if changes:
            return _Change(command, action.before, self._services, self._leases)
        return _Act(command, action, self._leases)

    def seen_now(self, entry: Entry, stop: threading.Event, hub_now: float) -> Result:
        """How the service of an interrupted command is now, and its lease; whether a lease was changed is known."""
        seen = self._services.seen_now(entry, stop, hub_now)
        if stop.is_set():
            return seen
        if entry.get("cmd") in LEASE_VERBS:
            return {**seen, **self._leases.proof(str(entry["id"]))}
        told = (str(entry["id"]), str(entry["cmd"]), str(entry["target"]))
        return {**seen, **self._leases.acted(*told, entry.get("before") or {}, seen.get("after"))}


class _Act:
    """An action on a service, alone with it: its lease does not run out meanwhile."""

    def __init__(self, command: Command, action: Action, leases: Leases) -> None:
        self.before = action.before
        self._command = command
        self._action = action
        self._leases = leases
        self._alone = leases.lock_of(command.target)

    def act(self, seconds: float) -> Acted:
        """The lease is on disk before anything is stopped."""
        command = self._command
        if not self._alone.acquire(timeout=max(0.0, seconds)):
            raise NotRun(f"not run: {command.target} is just being started, its time is over")
        try:
            if "forSec" in command.args:
                self._leases.begin(command.id, command.target, command.args["forSec"])
            return self._action.act(seconds)
        except LeaseError as error:
            self._alone.release()
            raise NotRun(f"not run: {error}") from error

    def settled(self, stop: threading.Event, hub_now: float) -> Result:
        """What came of it, and what that makes of the lease."""
        try:
            result = self._action.settled(stop, hub_now)
            if not stop.is_set():  # else the next run looks at the service, and settles the lease
                told = (self._command.id, self._command.verb, self._command.target)
                result.update(self._leases.acted(*told, self.before, result.get("after")))
            return result
        finally:
            self._alone.release()


class _Change:
    """Extends a lease, or ends it with its service kept stopped."""

    def __init__(self, command: Command, before: State, services: ServiceActions, leases: Leases) -> None:
        self.before = before
        self._command = command
        self._services = services
        self._leases = leases

    def act(self, seconds: float) -> Acted:
        """Nothing is run: what is in the book changes."""
        command = self._command
        alone = self._leases.lock_of(command.target)
        if not alone.acquire(timeout=max(0.0, seconds)):
            raise NotRun(f"not run: {command.target} is just being started, its time is over")
        try:
            self._leases.change(command)
        except LeaseError as error:
            raise NotRun(f"not run: {error}") from error
        finally:
            alone.release()
        return Acted("", 0, "")

    def settled(self, stop: threading.Event, hub_now: float) -> Result:
        """The service as it is, and the end of its lease."""
        seen = self._services.look(self._command.target)
        return {**({"after": {**seen, "settledSec": 0.0}} if seen else {}), **self._leases.proof(self._command.id)}
