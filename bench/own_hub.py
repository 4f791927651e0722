"""A hub of a bench's own: a database out of the embedded PostgreSQL, and a real web process on it.

own_hub.begin()            # before anything imports the hub's models
from servers.models import …
with own_hub.web() as hub:
    …
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import django
import psutil
from django.core.management import call_command

from pmonitor.embedded import Embedded

ROOT = Path(__file__).resolve().parent.parent
START_SEC = 60


class Process(NamedTuple):
    """A server process that was started, and where it listens on the loopback address."""

    pid: int
    port: int

    def cpu_ms(self) -> float:
        """On the CPU so far, of all its threads, those that ended too."""
        return 1000 * sum(psutil.Process(self.pid).cpu_times()[:2])


def begin() -> None:
    """Start an empty database, tell Django of it, make the tables; all goes away with this process."""
    folder = tempfile.TemporaryDirectory(prefix="pmonitor-bench-")
    database = Embedded(Path(folder.name) / "data")
    os.environ.pop("REDIS_URL", None)
    os.environ |= {
        "DATABASE_URL": database.start(),
        "DJANGO_SETTINGS_MODULE": "pmonitor.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "LOG_LEVEL": "WARNING",
    }
    atexit.register(folder.cleanup)
    atexit.register(database.stop)  # the last registered runs first
    django.setup()
    call_command("migrate", verbosity=0)


@contextmanager
def web() -> Iterator[Process]:
    """The hub's web process; its worker's steps stay out of what is measured."""
    port = free_port()
    with running([sys.executable, "manage.py", "serve", "--no-worker", "--port", str(port)], port) as process:
        yield process


def bare(application: str, port: int) -> list[str]:
    """How a bare ASGI application is served: by the hub's own server, asked for nothing else."""
    quiet = ["--no-access-log", "--log-level", "warning", "--no-server-header", "--no-date-header"]
    plain = ["--lifespan", "off", "--loop", "asyncio", "--ws", "websockets-sansio", "--timeout-keep-alive", "75"]
    return [sys.executable, "-m", "uvicorn", "--port", str(port), *quiet, *plain, application]


@contextmanager
def running(argv: list[str], port: int) -> Iterator[Process]:
    """A process that listens on the port; ended afterwards."""
    process = subprocess.Popen(argv, cwd=ROOT)
    try:
        _wait_for(process, port)
        yield Process(process.pid, port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def free_port() -> int:
    """A port of the loopback address nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SEC
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{process.args!r} does not listen")
