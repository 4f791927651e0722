"""A hub started as its user starts it: `manage.py quickstart` in a process of its own, on a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from types import TracebackType

import requests

from tests.hosts.waiting import eventually
from tests.ports import free_port

CHECKOUT = Path(__file__).parents[2]
PASSWORD = "correct-horse-battery"
OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "PMONITOR_TEST_RUN", "HUB_URL", "PORT")


class Hub:
    """A running quickstart: its address, its admin, and manage.py beside it."""

    def __init__(self, data_dir: Path, *options: str, host: str = "127.0.0.1", called: str = "") -> None:
        """`called`: the address by which others reach it, where that is not the host it listens on."""
        self.data_dir, self.options, self.host, self.port = data_dir, options, host, free_port()
        self.url = f"http://{called or host}:{self.port}"
        self.log = data_dir.with_suffix(".log")
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        self.environment = {**kept, "PMONITOR_ADMIN_PASSWORD": PASSWORD, "PMONITOR_DATA_DIR": str(data_dir)}
        if called:
            self.environment["ALLOWED_HOSTS"] = f"{called},127.0.0.1"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Hub:
        arguments = ["quickstart", "--host", self.host, "--port", str(self.port), *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        eventually(self._answers, bool, 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(180)

    def manage(self, *arguments: str) -> str:
        """What a manage.py command prints, on this hub's data."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @cached_property
    def enrolment_key(self) -> str:
        """A key for as many agents as a file of tests has."""
        return self.manage("enrolment_key", "--uses", "100")

    @cached_property
    def api_token(self) -> str:
        """A token of the admin's."""
        return self.manage("api_token", "admin")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        local = "127.0.0.1" if self.host == "0.0.0.0" else self.host  # noqa: S104  compared, not bound
        try:
            return requests.get(f"http://{local}:{self.port}/healthz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False
