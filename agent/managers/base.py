"""What every service manager offers the agent, whatever stands behind it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from agent.managers.loglines import Log, Wanted
from agent.procstat import start_ticks
from agent.proctable import PAGE_MB

State = dict[str, Any]  # evidence: activeState, subState, mainPid, startTicks, result, nRestarts, memMB, tasks
OUTPUT_BYTES = 4096
LISTING_BYTES = 16 << 20
CLEAN_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class ManagerError(Exception):
    """The service manager did not answer, or not in words we know."""


class Service(NamedTuple):
    """One service as its manager tells it; `possible` are the verbs it can do, before the owner's allow-list."""

    name: str
    manager: str
    facts: dict[str, Any]
    possible: tuple[str, ...]


class Acted(NamedTuple):
    """What a manager's tool said: its command line, exit code (None when time ran out), output of at most 4 KB."""

    command: str
    exit_code: int | None
    output: str


class Manager(Protocol):
    """One service manager. All but `detect` raise ManagerError when it does not answer."""

    name: str
    list_every: float  # seconds after which the list is read again though nothing hints at a change

    def detect(self) -> bool:
        """Whether this manager is at work on this machine."""

    def hint(self) -> object:
        """A cheap value that differs when a service may have changed; None where there is no such thing."""

    def services(self) -> list[Service]:
        """Every service there is."""

    def show(self, unit: str) -> State:
        """The state of one service now."""

    def act(self, verb: str, unit: str, seconds: float) -> Acted:
        """Do it and wait for its end, at most so many seconds."""

    def logs(self, unit: str, lines: int) -> list[str]:
        """The newest lines the service logged, oldest first."""

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        """What the service logged, in at most so many seconds; no lines where nothing is known of a log."""


def run(argv: list[str], seconds: float, environ: Mapping[str, str] = CLEAN_ENV, listing: int = 0) -> Acted:
    """Run a program without a shell; of what it prints the last 4 KB are kept of both streams.

    listing: so many bytes of standard output alone are.
    """
    limit = listing or OUTPUT_BYTES
    try:
        # A daemon that a script starts may inherit the pipe: SIGPIPE stays ignored, so closing it kills nothing.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if listing else subprocess.STDOUT,
            env=dict(environ),
            start_new_session=True,
            restore_signals=False,
        )
    except OSError as error:
        raise ManagerError(f"{argv[0]} cannot be run: {error}") from error
    output, in_time = _collect(process, seconds, limit)
    code = process.wait() if in_time else None
    return Acted(" ".join(argv), code, output[-limit:].decode("utf-8", "replace").strip())


def _collect(process: subprocess.Popen[bytes], seconds: float, limit: int) -> tuple[bytes, bool]:
    """What the process prints until it ends; False when it did not end in time and was killed."""
    deadline = time.monotonic() + seconds
    output = b""
    readable = select.poll()  # select() stops at descriptor 1023, and the process table keeps many open
    pipe = process.stdout
    assert pipe is not None  # noqa: S101 - told to the type checker
    readable.register(pipe, select.POLLIN)
    with pipe:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                process.kill()
                process.wait()
                return output, False
            if readable.poll(1000 * min(left, 0.1)):
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    break
                output = (output + chunk)[-limit:]
            elif process.poll() is not None:
                break
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return output, False
    return output, True


def main_process(pid: int) -> dict[str, Any]:
    """A main process as evidence names it: pid and start ticks, both None when there is none."""
    ticks = start_ticks(pid) if pid > 0 else None
    return {"mainPid": pid if ticks is not None else None, "startTicks": ticks}


def memory_of(pid: int | None) -> float | None:
    """Resident memory of one process in MB."""
    if pid is None:
        return None
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return round(int(file.read().split()[1]) * PAGE_MB, 2)
    except OSError:
        return None
