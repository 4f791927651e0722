"""Borrowed stops on disk: which services this agent has to start again, and when.

Within one boot an end is a moment since boot: sleep is counted, no setting moves it. After a reboot this machine's own
wall clock tells how much is left; as that may be wrong by then, never more than the whole length is waited once more.
The hub's clock is told, never obeyed: the hub may be gone, and its clock may jump.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agent import host, hubclock
from agent.logs import log
from agent.register import write_durably

PENDING = "pending"  # the stop is under way: not told yet
HELD = "held"
STARTING = "starting"  # its end has come; with attempts > 0 a start has failed and is tried again
STARTED, BOOTED, OTHERS, COMMAND, KEPT, FAILED = "started", "booted", "others", "command", "kept", "failed"
OPEN = (HELD, STARTING)
BOOT_GRACE_SEC = 5.0  # a unit that is enabled comes up by itself: let it
_REMEMBERED = 20  # ended and told ones, for commands whose answer was lost
Lease = dict[str, Any]


class LeaseError(Exception):
    """It is not on disk: nothing may be stopped for it."""


class Clock(NamedTuple):
    """This boot's name, seconds since boot with sleep, and the machine's wall clock in epoch seconds."""

    boot_id: str
    since_boot: Callable[[], float]
    wall: Callable[[], float]


def machine_clock() -> Clock:
    """The machine's own."""
    return Clock(host.boot(), hubclock.since_boot, time.time)


class LeaseBook:
    """All leases by the command that made each; a file of a few lines, replaced as a whole (fsync) at each change."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._leases = {lease["command"]: self._anchored(lease) for lease in self._read()}
        if self._leases:
            self._keep()  # else each start of the agent would wait anew, whatever the wall clock says by then

    def get(self, command: str) -> Lease | None:
        """The lease that this command made."""
        return self._leases.get(command)

    def all(self) -> list[Lease]:
        """Every lease, the oldest first."""
        return list(self._leases.values())

    def open(self) -> list[Lease]:
        """Those that are to be ended by this agent."""
        return [lease for lease in self.all() if lease["state"] in OPEN]

    def of(self, target: str) -> Lease | None:
        """The service's open lease."""
        return next((lease for lease in self.open() if lease["target"] == target), None)

    def left(self, lease: Lease) -> float:
        """Seconds to its end; negative when that has passed."""
        return float(lease["bootUntil"]) - self._clock.since_boot()

    def ends_in(self, seconds: float) -> Lease:
        """The fields that say: so many seconds from now."""
        return {
            "forSec": seconds,
            "bootId": self._clock.boot_id,
            "bootUntil": self._clock.since_boot() + seconds,
            "wallUntil": self._clock.wall() + seconds,
        }

    def put(self, command: str, **facts: Any) -> Lease:
        """Make a lease or change it, on disk before this returns; raises LeaseError with nothing changed."""
        with self._lock:
            before = self._leases.get(command)
            self._leases[command] = lease = {**(before or {"command": command}), **facts}
            try:
                self._write()
            except OSError as error:
                self._leases.pop(command) if before is None else self._leases.update({command: before})
                raise LeaseError(f"the agent's leases cannot be written: {error.strerror or error}") from error
        return lease

    def note(self, command: str, **facts: Any) -> Lease:
        """Put down what has happened: it counts even where the disk is full."""
        with self._lock:
            self._leases[command] = lease = {**self._leases[command], **facts}
            self._keep()
        return lease

    def drop(self, command: str) -> None:
        """As if it had never been: its stop was not done."""
        with self._lock:
            if self._leases.pop(command, None) is not None:
                self._keep()

    def told(self, commands: list[str]) -> None:
        """The hub knows how these ended."""
        with self._lock:
            for command in commands:
                self._leases[command] = {**self._leases[command], "told": True}
            old = [command for command, lease in self._leases.items() if lease.get("told")]
            for command in old[: max(0, len(old) - _REMEMBERED)]:
                del self._leases[command]
            self._keep()

    def _keep(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.error("the leases cannot be written", extra={"file": str(self._path), "error": str(error)})

    def _write(self) -> None:
        write_durably(self._path, json.dumps(list(self._leases.values()), separators=(",", ":")).encode())

    def _read(self) -> list[Lease]:
        try:
            found = json.loads(self._path.read_bytes())
            return [lease for lease in found if _is_whole(lease)]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            log.error("the leases cannot be read", extra={"file": str(self._path), "error": str(error)})
            return []

    def _anchored(self, lease: Lease) -> Lease:
        """By this boot's clock, if it was made in another."""
        if lease["bootId"] == self._clock.boot_id:
            return lease
        left = min(max(lease["wallUntil"] - self._clock.wall(), BOOT_GRACE_SEC), max(lease["forSec"], BOOT_GRACE_SEC))
        return {**lease, **self.ends_in(left), "forSec": lease["forSec"], "booted": True, "nextTry": 0.0}


def _is_whole(lease: object) -> bool:
    if not isinstance(lease, dict):
        return False
    texts = all(isinstance(lease.get(name), str) for name in ("command", "target", "state", "bootId"))
    return texts and all(isinstance(lease.get(name), (int, float)) for name in ("forSec", "bootUntil", "wallUntil"))
