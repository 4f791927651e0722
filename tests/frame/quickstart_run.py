"""A real `manage.py quickstart` for tests, and what a person does with it: read what it says, sign in, stop it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import requests

from tests.patience import PATIENCE
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# What the suite sets for itself must not reach a hub that is started as a person would.
OURS = re.compile(r"^(DATABASE_|SECRET_KEY|REDIS_|ALLOWED_HOSTS|DJANGO_|PMONITOR_|PYTEST_|LOG_|HUB_URL$|PORT$)")


class Quickstart:
    """One run; `with` waits until it serves, and ends it and whatever it left behind."""

    def __init__(self, data_dir: Path, *options: str, port: int | None = None, **variables: str) -> None:
        self.data_dir, self.port = data_dir, port or free_port()
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the run
        where = ["--data-dir", str(data_dir), "--port", str(self.port)]
        kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "quickstart", *where, *options],
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env={**kept, **variables},
            cwd="/",
        )

    def __enter__(self) -> Self:
        try:
            self.wait_until(lambda: "Ctrl-C stops everything" in self.said())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGTERM)
        for process in processes_of(self.data_dir):
            process.kill()

    def said(self) -> str:
        """All it printed so far."""
        return os.pread(self.output.fileno(), 1_000_000, 0).decode()

    def url(self, path: str = "/") -> str:
        """An address of this hub."""
        return f"http://127.0.0.1:{self.port}{path}"

    def end(self, number: int) -> int:
        """Send it a signal and wait; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(180)

    def wait_until(self, happened: Callable[[], object], seconds: float = 60) -> None:
        """Wait until it happened; fails with all the hub said when that takes too long, or when the hub ended."""
        deadline = time.monotonic() + PATIENCE * seconds
        while not happened():
            assert self.process.poll() is None, f"quickstart ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"it did not happen:\n{self.said()}"
            time.sleep(0.05)

    def child(self, word: str) -> psutil.Process:
        """Its child process with the word in its command line."""
        (found,) = [p for p in psutil.Process(self.process.pid).children() if word in p.cmdline()]
        return found

    def is_ready(self) -> bool:
        """Whether /readyz says that every part is well."""
        try:
            return requests.get(self.url("/readyz"), timeout=30).status_code == 200
        except requests.ConnectionError:
            return False

    def sign_in(self, password: str, name: str = "admin") -> requests.Session | None:
        """Sign in on the login page; the session, or None when the hub refuses."""
        session = requests.Session()
        page = session.get(self.url("/login/"), timeout=60)
        field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert field, page.text
        form = {"csrfmiddlewaretoken": field[1], "username": name, "password": password}
        answer = session.post(self.url("/login/"), form, allow_redirects=False, timeout=60)
        return session if answer.status_code == 302 else None


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every process that belongs to the data folder: by its command line, or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(data_dir) in word for word in words):
            found.append(process)
    return found
