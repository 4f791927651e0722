"""Keeps child processes running: starts them again when they die, later each time, and ends them in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FIRST_WAIT_SEC, LONGEST_WAIT_SEC = 0.5, 30.0
HEALTHY_SEC = 60.0  # one that ran as long waits from the beginning again
PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

Environment = Callable[[], Mapping[str, str]]


class Child:
    """One program; its environment is asked for at each start. Its output goes to log, or to the terminal."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Environment,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self.name, self.command, self.environment, self.cwd, self.log = name, command, environment, cwd, log
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = self.due_at = 0.0
        self.wait = FIRST_WAIT_SEC

    def start(self) -> None:
        """Start it now."""
        output = self._output()
        try:
            self.process = spawn(self.command, self.environment(), output, self.cwd)
        finally:
            if output is not None:
                os.close(output)
        self.started_at = time.monotonic()

    def keep(self) -> str:
        """Look after it; returns what to say when it died or was started again, else an empty text."""
        if self.process is not None:
            code = self.process.poll()
            return "" if code is None else self._died(code)
        if time.monotonic() < self.due_at:
            return ""
        self.start()
        return f"{self.name} started again"

    def stop(self, seconds: float) -> None:
        """End it: SIGTERM, and SIGKILL after so many seconds."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """End it and start it now, because what it was started with has changed."""
        self.stop(5)
        self.start()

    def _died(self, code: int) -> str:
        self.process = None
        if time.monotonic() - self.started_at > HEALTHY_SEC:
            self.wait = FIRST_WAIT_SEC
        wait, self.wait = self.wait, min(self.wait * 2, LONGEST_WAIT_SEC)
        self.due_at = time.monotonic() + wait
        return f"{self.name} ended ({ending(code)}); it starts again in {wait:g} s{self._last_words()}"

    def _last_words(self) -> str:
        if self.log is None or not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()
        return f"; its last words: {lines[-1][:300]}" if lines else ""

    def _output(self) -> int | None:
        if self.log is None:
            return None
        if self.log.exists():
            self.log.replace(self.log.with_name(self.log.name + ".1"))
        return os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


def ending(code: int) -> str:
    """A process's return code in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def spawn(
    command: list[str], environment: Mapping[str, str], output: int | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches only us, who end it in order.

    A signal that comes meanwhile is held back until the program runs: its handler may raise, and what is raised inside
    a fork hook (logging has one) is dropped by Python, as if nobody had pressed Ctrl-C. What is raised then ends it.
    """
    process = None
    try:
        with _held_back(ENDING):
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
    except BaseException:
        if process is not None:
            process.terminate()
            process.wait()
        raise
    return process


@contextmanager
def _held_back(numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when we die, even by kill -9: no child outlives the hub."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # the mask is inherited
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
