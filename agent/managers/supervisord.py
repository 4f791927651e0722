"""supervisord, by its XML-RPC over the unix socket."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from typing import Any

from agent.hubclock import iso
from agent.logs import log
from agent.managers.base import OUTPUT_BYTES, Acted, ManagerError, Service, State, main_process, memory_of
from agent.managers.loglines import CHUNK, Log, Wanted, plain

# Not /tmp: anybody could put a socket there.
SOCKETS = (
    "/run/supervisor.sock",
    "/run/supervisor/supervisor.sock",
    "/var/run/supervisor.sock",
)
_ASK_SEC = 10.0
_STATES = {
    "RUNNING": "active",
    "STARTING": "activating",
    "BACKOFF": "activating",
    "STOPPING": "deactivating",
    "STOPPED": "inactive",
    "EXITED": "inactive",
    "FATAL": "failed",
    "UNKNOWN": "failed",
}
_NO_FILE = 20  # supervisor.xmlrpc.Faults.NO_FILE
_NOT_RUNNING = 70  # supervisor.xmlrpc.Faults.NOT_RUNNING


class Supervisord:
    """The programs of one supervisord; in a group of several a program is named group:name."""

    name = "supervisord"
    list_every = 0.0  # one cheap call: every report

    def __init__(self, path: str = "") -> None:
        self._paths = (path,) if path else SOCKETS
        self._path = self._paths[0]

    def detect(self) -> bool:
        """The first socket at which a supervisord answers."""
        for path in self._paths:
            self._path = path
            if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
                log.warning("supervisord is not watched: its socket is closed to this user", extra={"socket": path})
            try:
                self._call("getSupervisorVersion")
            except ManagerError:
                continue
            return True
        return False

    def hint(self) -> object:
        """There is none, and none is needed."""
        return None

    def services(self) -> list[Service]:
        """All programs with their states."""
        return [self._service(info) for info in self._call("getAllProcessInfo")]

    def show(self, unit: str) -> State:
        """One program's state."""
        return _state(self._call("getProcessInfo", unit))

    def act(self, verb: str, unit: str, seconds: float) -> Acted:
        """A restart is a stop and a start, each told."""
        steps = {"start": ("startProcess",), "stop": ("stopProcess",), "restart": ("stopProcess", "startProcess")}
        told = []
        for method in steps[verb]:
            code, words = self._step(method, unit, seconds)
            told.append(f"{method}: {words}")
            if code:
                break
        return Acted(f"supervisor.{' + '.join(steps[verb])} {unit}", code, "\n".join(told)[:OUTPUT_BYTES])

    def logs(self, unit: str, lines: int) -> list[str]:
        """The end of what the program printed to standard output."""
        text, _, _ = self._call("tailProcessStdoutLog", unit, 0, OUTPUT_BYTES)
        return str(text).splitlines()[-lines:]

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        """What the program printed to standard output; the cursor is how much of it there was."""
        after = int(wanted.after) if wanted.after.isdecimal() else None
        try:
            text, size, _ = self._call("tailProcessStdoutLog", unit, after or 0, CHUNK, seconds=seconds)
        except _Fault as fault:
            if fault.code == _NO_FILE:
                return Log([], "", "supervisord")
            raise
        known = after is not None and 0 <= size - after <= CHUNK
        if after is not None and known:  # supervisord gives the end, whatever it was asked to begin with
            text = str(text).encode()[-(size - after) :].decode("utf-8", "replace") if size > after else ""
        lines = str(text).splitlines()
        lines = lines if known or size <= CHUNK else lines[1:]
        missed = after is not None and (not known or len(lines) > wanted.lines)
        return Log(plain(lines[-wanted.lines :]), str(size), "supervisord", missed=missed)

    def _step(self, method: str, unit: str, seconds: float) -> tuple[int | None, str]:
        try:
            self._call(method, unit, True, seconds=seconds)
        except _Fault as fault:
            if fault.code == _NOT_RUNNING and method == "stopProcess":
                return 0, "was not running"
            return 1, str(fault)  # as supervisorctl would exit; the fault's number is no exit code
        except _Slow as error:
            return None, str(error)
        return 0, "done"

    def _service(self, info: dict[str, Any]) -> Service:
        facts = {
            "description": "",  # supervisord's own changes every second: pid and uptime
            "loadState": "loaded",
            "since": _since(info),
            "unitFileState": "",
            **_state(info),
        }
        group, name = info["group"], info["name"]
        return Service(name if group == name else f"{group}:{name}", self.name, facts, ("start", "stop", "restart"))

    def _call(self, method: str, *arguments: object, seconds: float = _ASK_SEC) -> Any:
        if not os.path.exists(self._path):
            raise ManagerError(f"supervisord at {self._path} does not answer: there is no such socket")
        rpc = import_module("agent.managers.xmlrpc_socket")  # only where it is needed: it takes 0.7 MB
        try:
            return rpc.call(self._path, f"supervisor.{method}", arguments, seconds)
        except rpc.Fault as fault:
            raise _Fault(fault.faultCode, fault.faultString) from fault
        except socket.timeout as error:  # TimeoutError only since Python 3.10
            raise _Slow(f"supervisord did not answer within {seconds:.0f} s") from error
        except rpc.ERRORS as error:
            raise ManagerError(f"supervisord at {self._path} does not answer: {error}") from error


class _Fault(ManagerError):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Slow(ManagerError):
    pass


def _state(info: dict[str, Any]) -> State:
    word = str(info.get("statename", "UNKNOWN"))
    active = _STATES.get(word, "failed")
    crashed = word == "EXITED" and bool(info.get("exitstatus"))
    main = main_process(int(info.get("pid") or 0))
    return {
        "activeState": "failed" if crashed else active,
        "subState": word.lower(),
        **main,
        "result": "exit-code" if crashed or word == "FATAL" else "success",
        "nRestarts": None,
        "memMB": memory_of(main["mainPid"]),
        "tasks": None,
    }


def _since(info: dict[str, Any]) -> str | None:
    running = info.get("statename") in ("RUNNING", "STARTING")
    epoch = info.get("start" if running else "stop") or info.get("start")
    return iso(float(epoch)) if epoch else None
