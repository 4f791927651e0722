"""A real web process on the test's own database, and polls of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
import requests
from django.db import connection

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent.parent


class WebProcess:
    """One running `manage.py serve` without the worker's steps."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    def poll(self, token: str, wait: object = 25, agent: str = "srv-web-01") -> requests.Response:
        """One long-poll, until it is answered."""
        headers = {"X-Agent-Token": token}
        return requests.get(f"{self.url}/api/actions/queue/{agent}?wait={wait}", headers=headers, timeout=120)

    def open_poll(self, token: str, agent: str = "srv-web-01") -> socket.socket:
        """A long-poll whose connection the test holds."""
        client = socket.create_connection(("127.0.0.1", self.port))
        lines = [f"GET /api/actions/queue/{agent} HTTP/1.1", "Host: localhost", f"X-Agent-Token: {token}"]
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        return client

    def threads(self) -> int:
        return psutil.Process(self.process.pid).num_threads()

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Polling(threading.Thread):
    """A long-poll in the background: its answer, and how many seconds it took."""

    def __init__(self, web: WebProcess, token: str, wait: int = 25) -> None:
        super().__init__(daemon=True)
        self.web, self.token, self.wait = web, token, wait
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        started = time.monotonic()
        self.answer = self.web.poll(self.token, self.wait)
        self.seconds = time.monotonic() - started

    def done(self) -> requests.Response:
        """The answer, once it is there."""
        self.join(120)
        assert isinstance(self.answer, requests.Response)
        return self.answer


@contextmanager
def web_process() -> Iterator[WebProcess]:
    """Start one on a free port; it is ended with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "manage.py", "serve", "--no-worker", "--port", str(port)]
    process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "DATABASE_URL": database_url()})
    try:
        _wait_until_it_listens(process, port)
        yield WebProcess(process, port)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)


def database_url() -> str:
    """The test database's address."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path="/" + quote(str(connection.settings_dict["NAME"]))).geturl()


def sessions(application: str | None = None) -> int:
    """How many sessions this run's database has besides the test's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (%s::text IS NULL OR application_name = %s)",
            [application, application],
        )
        return int(cursor.fetchone()[0])


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30 * PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the web process ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the web process does not listen")
