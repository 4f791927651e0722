"""Real processes, and commands on them as the hub sends them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import host, oneprocess
from agent.allow import Allow
from agent.command import Command
from agent.process_action import ProcessActions
from tests.agent.conftest import eventually

READY = "\nprint('ready', flush=True)\ntime.sleep(600)"
IGNORES = "import signal, time\nfor one in {signals}: signal.signal(one, signal.SIG_IGN)" + READY
TWO_THREADS = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()" + READY
Starter = Callable[..., subprocess.Popen[bytes]]


def deaf(start: Starter, *signals: int) -> subprocess.Popen[bytes]:
    """A process that ignores these signals."""
    code = IGNORES.format(signals=[int(number) for number in signals])
    return ready(start(sys.executable, "-c", code, stdout=subprocess.PIPE))


def ready(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    """The process, once it has said so."""
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def named(pid: int) -> str:
    """A process once it is what it is going to be, and its name."""
    eventually(lambda: oneprocess.look(pid) and Path(f"/proc/{pid}/cmdline").read_bytes())
    seen = oneprocess.look(pid)
    assert seen
    return seen.name


def args_of(pid: int, **more: Any) -> dict[str, Any]:
    seen = oneprocess.look(pid)
    assert seen
    return {"pid": pid, "startTicks": seen.start_ticks, "bootId": host.boot_id(), **more}


def order(pid: int, verb: str = "signal", target: str = "", **args: Any) -> Command:
    """A command as the hub sends it."""
    name = named(pid)
    return Command("1", verb, target or f"{name}[{pid}]", time.time() + 60, None, args_of(pid, **args))


def actions(allow: str = "*:*", protect: tuple[str, ...] = ()) -> ProcessActions:
    return ProcessActions(Allow(allow), protect, 0.5)


def done(command: Command) -> tuple[Any, dict[str, Any]]:
    """What was done, and what came of it."""
    action = actions().check(command)
    acted = action.act(60)
    return acted, action.settled(threading.Event(), time.time())


def reaped(process: subprocess.Popen[bytes]) -> None:
    """Takes note of the process's end as soon as there is one, as a parent does."""
    threading.Thread(target=process.wait, daemon=True).start()
