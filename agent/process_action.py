"""Commands on processes: a signal or another nice value, to exactly the process the operator saw."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import Any, NamedTuple

from agent import host, oneprocess
from agent.allow import Allow
from agent.command import Action, Command, Refused, Result
from agent.hubclock import iso
from agent.journal import Entry
from agent.managers.base import Acted, State
from agent.oneprocess import GONE, STOPPED, Seen

SIGNALS = ("TERM", "KILL", "HUP", "INT", "STOP", "CONT", "USR1", "USR2")
NICE = (-20, 19)  # the most favoured, the least
_TARGET = re.compile(r"(.*)\[([0-9]{1,10})\]", re.DOTALL)
_POLL_SEC = 0.2
_MAX_CHANGES = 20
_PATIENCE = 3  # a process that is stopped and let go again and again is not watched for ever
_ROUNDS = 3  # threads may be born while the others get their nice value
_CHANGED = "nothing was sent: the process was gone before it could be"


class Identity(NamedTuple):
    """A process for sure, as the operator saw it."""

    boot_id: str
    pid: int
    start_ticks: int

    def seen(self) -> Seen | None:
        """The process now; None when it is no more, whoever has its pid."""
        found = oneprocess.look(self.pid)
        return found if found and found.start_ticks == self.start_ticks and self.boot_id == host.boot_id() else None

    def state(self) -> State:
        """The process now, as evidence."""
        found = self.seen()
        return {"status": found.status, "nice": found.nice, "memMB": found.mem_mb} if found else {"status": GONE}


class ProcessActions:
    """The processes of this server; `protect` are the owner's additions to the protected names."""

    def __init__(self, allow: Allow, protect: tuple[str, ...], settle_sec: float) -> None:
        self._allow = allow
        self._protect = protect
        self._settle_sec = settle_sec

    def check(self, command: Command) -> Action:
        """The action, ready to run; raises Refused naming what stands against it."""
        who = _identity(command.args)
        doing = _doing(command, who)
        seen = _still_there(command.target, who)
        if not self._allow.permits(command.verb, seen.name):
            raise Refused(f"this server's owner does not allow the hub to {command.verb} {seen.name}")
        why = oneprocess.untouchable(who.pid, seen, self._protect)
        if why:
            raise Refused(why)
        if command.verb == "signal":
            _may_signal(who.pid)
        return ProcessAction(who, doing, self._settle_sec)

    def seen_now(self, entry: Entry, stop: threading.Event, hub_now: float) -> Result:
        """How the process of an interrupted command is now, watched as after any action."""
        try:
            who = _identity(entry.get("args") or {})
        except Refused:
            return {}
        return watched(who, self._settle_sec, stop, hub_now)


class Doing(NamedTuple):
    """What is done to the process; one of both is None."""

    signal: str | None
    nice: int | None
    line: str  # as a person would type it


class ProcessAction:
    """One action on one process."""

    def __init__(self, who: Identity, doing: Doing, settle_sec: float) -> None:
        self.before = who.state()
        self._who = who
        self._doing = doing
        self._settle_sec = settle_sec

    def act(self, seconds: float) -> Acted:
        """Send the signal or set the nice value, once it is sure that it reaches the process meant."""
        try:
            said = self._signal(self._doing.signal) if self._doing.signal else self._renice(self._doing.nice or 0)
        except OSError as error:
            said = f"{error.strerror or error}"
            if isinstance(error, PermissionError):
                said += f": the agent runs as {oneprocess.user_of(os.getpid())}, see CAP_KILL and CAP_SYS_NICE"
        return Acted(self._doing.line, 1 if said else 0, said)

    def _signal(self, name: str) -> str:
        number = getattr(signal, f"SIG{name}")
        descriptor = _pidfd(self._who.pid)
        try:
            # Looked at after the descriptor was opened: so that descriptor is this process and stays it.
            if self._who.seen() is None:
                return _CHANGED
            if descriptor < 0:
                os.kill(self._who.pid, number)
            else:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return ""

    def _renice(self, nice: int) -> str:
        """For all its threads: the kernel keeps one value each."""
        for _round in range(_ROUNDS):
            if self._who.seen() is None:
                return _CHANGED
            rest = [thread for thread in _threads(self._who.pid) if _nice_of(thread) not in (nice, None)]
            if not rest:
                return ""
            for thread in rest:
                try:
                    os.setpriority(os.PRIO_PROCESS, thread, nice)
                except ProcessLookupError:
                    continue  # this thread has ended
        return "some of its threads keep another nice value"

    def settled(self, stop: threading.Event, hub_now: float) -> Result:
        """What the process turned into."""
        return watched(self._who, self._settle_sec, stop, hub_now)


def watched(who: Identity, seconds: float, stop: threading.Event, hub_now: float) -> Result:
    """The state that held for so many seconds, or that it is gone: that is watched no longer."""
    started = since = time.monotonic()
    changes: list[dict[str, Any]] = []
    last: State = {}
    while True:
        state, now = who.state(), time.monotonic()
        if not last or _telling(state) != _telling(last):
            since = now
            if len(changes) < _MAX_CHANGES:
                changes.append({"t": iso(hub_now + now - started), "status": state["status"]})
        last = state
        left = min(since + seconds, started + _PATIENCE * seconds) - now
        if state["status"] == GONE or left <= 0 or stop.wait(min(_POLL_SEC, left)):
            held = round(time.monotonic() - since, 2)
            return {"after": {**last, "settledSec": held}, "changes": changes}


def _telling(state: State) -> tuple[object, object]:
    """What counts as a change: not that it sleeps or runs."""
    status = "stopped" if state["status"] in STOPPED else state["status"]
    return status if status in (GONE, "zombie", "stopped") else "alive", state.get("nice")


def _identity(args: dict[str, Any]) -> Identity:
    boot_id, pid, ticks = args.get("bootId"), args.get("pid"), args.get("startTicks")
    if not isinstance(boot_id, str) or not boot_id:
        raise Refused("args.bootId is not a text")
    for name, number in (("pid", pid), ("startTicks", ticks)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise Refused(f"args.{name} is not a whole number")
    return Identity(boot_id, int(args["pid"]), int(args["startTicks"]))


def _doing(command: Command, who: Identity) -> Doing:
    if command.verb == "signal":
        name = command.args.get("signal")
        if name not in SIGNALS:
            raise Refused(f"args.signal is not one of {', '.join(SIGNALS)}")
        return Doing(str(name), None, f"kill -{name} {who.pid}")
    nice = command.args.get("nice")
    if not isinstance(nice, int) or isinstance(nice, bool) or not NICE[0] <= nice <= NICE[1]:
        raise Refused(f"args.nice is not a whole number from {NICE[0]} to {NICE[1]}")
    return Doing(None, nice, f"renice -n {nice} -p {who.pid}")


def _still_there(target: str, who: Identity) -> Seen:
    """The process as it is now; raises Refused when it is not the one the operator saw."""
    named = _TARGET.fullmatch(target)
    if named is None or int(named[2]) != who.pid:
        raise Refused(f"{target[:80]!r} is not NAME[PID] of args.pid")
    if who.boot_id != host.boot_id():
        raise Refused("this server was started again since you looked: that process is no more")
    found = oneprocess.look(who.pid)
    if found is None:
        raise Refused(f"there is no process with PID {who.pid} any more")
    if found.start_ticks != who.start_ticks:
        raise Refused(f"PID {who.pid} is another process than the one you saw: now it is {found.name}")
    if found.name != named[1]:
        raise Refused(f"the process changed since you looked: its name was {named[1]}, is {found.name}")
    return found


def _may_signal(pid: int) -> None:
    try:
        os.kill(pid, 0)
    except PermissionError as error:
        me, other = oneprocess.user_of(os.getpid()), oneprocess.user_of(pid)
        raise Refused(f"the agent runs as {me} without CAP_KILL: it may not signal processes of {other}") from error
    except ProcessLookupError as error:
        raise Refused(f"there is no process with PID {pid} any more") from error


def _pidfd(pid: int) -> int:
    """A descriptor that is this process for ever; -1 where the kernel or Python has none. ProcessLookupError: gone."""
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        return -1
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # an older kernel, or a filter of system calls
        return -1


def _threads(pid: int) -> list[int]:
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


def _nice_of(thread: int) -> int | None:
    found = oneprocess.look(thread)
    return found.nice if found else None
