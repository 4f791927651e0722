"""Borrowed stops: "stop for 20 minutes". The agent starts the service again, whoever else is gone by then.

The lease is on disk before the service is stopped, so neither a crash nor a reboot loses it (leasebook.py). One loop
looks after them; each service that is to be started is brought back in a thread of its own. A command and the loop are
never at work on the same service at the same time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from agent import hubclock, leasebook
from agent.allow import LEASE_VERBS, Allow
from agent.command import Command
from agent.evidence import Settling, last_lines
from agent.hubclock import HubClock
from agent.leasebook import Lease, LeaseBook
from agent.logs import log
from agent.managers.base import Acted, Manager, ManagerError, State
from agent.servicetable import ServiceTable

LEAST_SEC, MOST_SEC = 1, 86_400
RETRY_SEC = (5.0, 15.0, 45.0, 135.0)  # after a start that failed; after the last one it is given up and told
_START_SEC = 120.0
_LOOK_SEC = 1.0
_RUNS = ("active", "reloading")
_EVIDENCE = ("endedAt", "before", "after", "output", "log", "reason")  # of an end, as the report tells it


class Leases:
    """The leases of this machine; `settle_sec` is how long a service that was started must stay active."""

    def __init__(
        self,
        book: LeaseBook,
        table: ServiceTable,
        allow: Allow,
        clock: HubClock,
        settle_sec: float,
        stop: threading.Event,
    ) -> None:
        self._book = book
        self._table = table
        self._allow = allow
        self._clock = clock
        self._settle_sec = settle_sec
        self._stop = stop
        self._news = threading.Event()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._unexpected: list[Exception] = []

    # What a command does to them

    def lock_of(self, target: str) -> threading.Lock:
        """Who holds it is alone with the service."""
        return self._locks[target]

    def begin(self, command: str, target: str, seconds: float) -> None:
        """Put a lease on disk before its service is stopped; raises LeaseError when it is not there for sure."""
        self._book.put(command, target=target, state=leasebook.PENDING, attempts=0, **self._book.ends_in(seconds))

    def acted(self, command: str, verb: str, target: str, before: State, after: State | None) -> dict[str, Any]:
        """A command has acted on the service; the result's field `until` when that is stopped for a time now."""
        runs = after is not None and after.get("activeState") in _RUNS
        lease, held = self._book.get(command), self._book.of(target)
        if lease is not None:
            if lease["state"] == leasebook.PENDING and runs:
                self._book.drop(command)  # it was not stopped, or something has started it at once
            elif lease["state"] == leasebook.PENDING:
                self._book.note(command, state=leasebook.HELD)
                self._news.set()
            return self._told_until(command)
        if held and (runs or verb == "stop"):
            how = leasebook.COMMAND if runs else leasebook.KEPT
            self._end(held, how, by=command, before=before, after=after or {})
        return {}

    def refusal(self, command: Command) -> str:
        """Why this cannot be asked for, as far as leases are concerned; empty when it can."""
        held, lends = self._book.of(command.target), "forSec" in command.args
        seconds = command.args.get("forSec", 0)
        if command.verb not in ("stop", *LEASE_VERBS):
            return "forSec is for stop and extend" if lends else ""
        sane = isinstance(seconds, int) and not isinstance(seconds, bool) and LEAST_SEC <= seconds <= MOST_SEC
        if (lends or command.verb == "extend") and not sane:
            return f"forSec is not a whole number of seconds from {LEAST_SEC} to {MOST_SEC}"
        if command.verb in LEASE_VERBS:
            return "" if held else f"{command.target} is not stopped for a time"
        return f"{command.target} is stopped for a time already: extend that" if lends and held else ""

    def change(self, command: Command) -> None:
        """Extend the service's lease, counted from now, or end it with the service kept stopped; raises LeaseError."""
        lease = self._book.of(command.target)
        if lease is None:
            raise leasebook.LeaseError(f"{command.target} is not stopped for a time any more")
        if command.verb == "keep":
            ended = hubclock.iso(self._clock.now())
            self._book.put(lease["command"], state=leasebook.KEPT, by=command.id, endedAt=ended)
        else:
            ends = self._book.ends_in(command.args["forSec"])
            anew = {"state": leasebook.HELD, "attempts": 0, "reason": "", "booted": False}
            self._book.put(lease["command"], by=command.id, **anew, **ends)
        self._news.set()

    def proof(self, command: str) -> dict[str, Any]:
        """What the book says of a command that was to extend or end a lease, in a result's fields."""
        changed = next((lease for lease in self._book.all() if lease.get("by") == command), None)
        if changed is None:
            return {"outcome": "failed", "reason": "not run: the agent ended before it could"}
        return {"outcome": "done", "exitCode": 0, "reason": "", **self._told_until(changed["command"])}

    def _told_until(self, command: str) -> dict[str, Any]:
        """The end of this command's lease by the hub's clock; nothing when it is over."""
        lease = self._book.get(command)
        return {"until": self._until(lease)} if lease and lease["state"] in leasebook.OPEN else {}

    # What the hub is told

    def wire(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The report's `leases`, and the commands of those whose end is in it."""
        untold = [one for one in self._book.all() if one["state"] != leasebook.PENDING and not one.get("told")]
        return [self._entry(one) for one in untold], [o["command"] for o in untold if o["state"] not in leasebook.OPEN]

    def told(self, commands: list[str]) -> None:
        """The hub has taken a report with these ends."""
        self._book.told([command for command in commands if self._book.get(command)])

    def _entry(self, lease: Lease) -> dict[str, Any]:
        entry = {name: lease[name] for name in ("target", "command", "state")}
        entry["until"] = self._until(lease)
        if lease["attempts"]:
            entry["attempts"] = lease["attempts"]
        return {**entry, **{name: lease[name] for name in _EVIDENCE if lease.get(name)}}

    def _until(self, lease: Lease) -> str:
        return hubclock.iso(self._clock.now() + self._book.left(lease))

    # Looking after them

    def run(self) -> None:
        """Start every service again whose time is over, until stopped; what nobody expected is raised."""
        while not self._stop.is_set():
            for lease in self._book.open():
                lock = self._locks[lease["target"]]
                if self._needs_a_look(lease) and lock.acquire(blocking=False):
                    threading.Thread(
                        target=self._tend, args=(lease["command"], lock), name="lease", daemon=True
                    ).start()
            self._news.wait(self._pause())
            self._news.clear()
            if self._unexpected:
                raise self._unexpected[0]

    def _pause(self) -> float | None:
        waits = [self._wait(lease) for lease in self._book.open()]
        return max(0.05, min([_LOOK_SEC, *waits])) if waits else None

    def _wait(self, lease: Lease) -> float:
        """Seconds until it is to be started, or tried again."""
        retry = lease.get("nextTry", 0.0) if lease["state"] == leasebook.STARTING else 0.0
        return max(self._book.left(lease), self._book.left({"bootUntil": retry}))

    def _needs_a_look(self, lease: Lease) -> bool:
        return self._wait(lease) <= 0 or self._table.state_of(lease["target"]) in _RUNS

    def _tend(self, command: str, lock: threading.Lock) -> None:
        try:
            lease = self._book.get(command)
            if lease and lease["state"] in leasebook.OPEN:
                self._bring_back(lease)
        except Exception as error:  # noqa: BLE001 - the loop raises it: this thread has no caller
            self._unexpected.append(error)
        finally:
            lock.release()
            self._news.set()

    def _bring_back(self, lease: Lease) -> None:
        manager = self._table.manager_of(lease["target"])
        if manager is None:
            return self._failed(lease, f"there is no service {lease['target']} on this server")
        try:
            seen = manager.show(lease["target"])
            if lease["state"] == leasebook.HELD and seen.get("activeState") in _RUNS:
                self._end(lease, leasebook.BOOTED if lease.get("booted") else leasebook.OTHERS, after=seen)
            elif self._wait(lease) <= 0:
                self._start(lease, manager, seen)
        except ManagerError as error:
            if self._wait(lease) <= 0:
                return self._failed(lease, str(error))
            # Nothing was tried. When the machine goes down, systemctl is ended together with the agent.
            log.warning("a service could not be looked at", extra={"target": lease["target"], "why": str(error)})
            self._stop.wait(_LOOK_SEC)
        return None

    def _start(self, lease: Lease, manager: Manager, seen: State) -> None:
        """One attempt. An earlier run of the agent may have begun it: then what is seen now is its outcome."""
        target, began = lease["target"], lease["state"] == leasebook.STARTING
        if not self._allow.permits("start", target):
            return self._failed(lease, f"this server's owner does not allow the hub to start {target}", final=True)
        if began and seen.get("activeState") in _RUNS:
            acted = Acted("", 0, "")
        else:
            lease = self._book.note(lease["command"], state=leasebook.STARTING, before=seen, nextTry=0.0)
            log.info("a borrowed stop is over: starting", extra={"target": target, "command": lease["command"]})
            acted = manager.act("start", target, _START_SEC)
        after = Settling(manager, target, self._settle_sec, self._clock.now()).watch(self._stop)
        self._table.stale()
        if self._stop.is_set():
            return None  # the next run looks what came of it
        facts = {"after": after, "output": acted.output, "attempts": lease["attempts"] + 1}
        if _is_up(after, acted, self._settle_sec):
            return self._end(lease, leasebook.STARTED, **facts)
        return self._failed(lease, _why(acted, after), log=last_lines(manager, target), **facts)

    def _failed(self, lease: Lease, why: str, final: bool = False, **facts: Any) -> None:
        attempts = facts.pop("attempts", lease["attempts"] + 1)
        log.error("a service was not started again", extra={"target": lease["target"], "why": why, "attempt": attempts})
        facts.update(reason=why[:1000], attempts=attempts)
        if final or attempts > len(RETRY_SEC):
            return self._end(lease, leasebook.FAILED, **facts)
        again = self._book.ends_in(RETRY_SEC[attempts - 1])["bootUntil"]
        self._book.note(lease["command"], state=leasebook.STARTING, nextTry=again, **facts)
        return None

    def _end(self, lease: Lease, state: str, **facts: Any) -> None:
        if state != leasebook.FAILED:
            facts.update(reason="")  # of an attempt before
        ended = self._book.note(lease["command"], state=state, endedAt=hubclock.iso(self._clock.now()), **facts)
        log.info("a borrowed stop has ended", extra={"target": ended["target"], "how": state})


def _is_up(after: State, acted: Acted, settle_sec: float) -> bool:
    if after.get("activeState") == "active":
        return float(after.get("settledSec") or 0) >= settle_sec - 0.5
    ran = after.get("type") == "oneshot" and after.get("activeState") == "inactive"
    return ran and acted.exit_code == 0 and after.get("result") == "success"


def _why(acted: Acted, after: State) -> str:
    if acted.exit_code:
        return f"exit code {acted.exit_code}"
    if acted.exit_code is None:
        return "the start did not end in time"
    return f"it is {after.get('activeState')}" if after.get("activeState") != "active" else "it did not stay active"
