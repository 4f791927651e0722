"""The production parts without containers: web processes, a worker, PostgreSQL, Redis, tied by the same variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import requests

from tests import databases
from tests.e2e.hub import CHECKOUT, PASSWORD
from tests.hosts.waiting import eventually
from tests.ports import free_port


class Production:
    """Every part is a process of its own; `start` and `kill` take a part by its name: redis, web1, web2, worker."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.redis_port = folder, free_port()
        self.database = databases.name("production")
        self.ports = {"web1": free_port(), "web2": free_port()}
        self.environment = {
            **os.environ,
            "DATABASE_URL": databases.address(self.database),
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "DATABASE_POOL": "8",
            "LOG_FORMAT": "json",
            "PMONITOR_ADMIN_PASSWORD": PASSWORD,
        }
        self.parts: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Production:
        databases.make(self.database)
        self.manage("first_admin")
        for part in ("redis", "web1", "web2", "worker"):
            self.start(part)
        for part in self.ports:
            eventually(lambda part=part: self.ready(part), bool, 60)  # type: ignore[misc]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.parts.values():
            process.terminate()
        for process in self.parts.values():
            process.wait(120)
        databases.drop(self.database)

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.ports[part]}"

    def start(self, part: str) -> None:
        arguments = {
            "redis": ["redis-server", "--port", str(self.redis_port), "--save", "", "--bind", "127.0.0.1"],
            "worker": [sys.executable, "manage.py", "run_worker"],
        }
        serve = [sys.executable, "manage.py", "serve", "--no-worker", "--port", str(self.ports.get(part))]
        with (self.folder / f"{part}.log").open("ab") as log:
            self.parts[part] = subprocess.Popen(
                arguments.get(part, serve), cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log
            )

    def kill(self, part: str) -> None:
        """As a power cut would."""
        self.parts[part].kill()
        self.parts[part].wait()

    def agent(self, part: str, state_dir: Path) -> None:
        """Start a real agent that knows only this web process."""
        known = {name: value for name, value in os.environ.items() if not name.startswith("AGENT")}
        key = self.manage("enrolment_key")
        settings = {"API": self.url(part), "AGENT_ID": "srv-real", "ENROLMENT_KEY": key, "STATE_DIR": str(state_dir)}
        command = [sys.executable, "-m", "agent", "--config", "/dev/null"]
        with (self.folder / "agent.log").open("ab") as log:
            self.parts["agent"] = subprocess.Popen(command, cwd=CHECKOUT, env=known | settings, stdout=log, stderr=log)

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ready(self, part: str) -> bool:
        """Whether /readyz says so: database, Redis, and the worker's last steps."""
        assert self.parts[part].poll() is None, (self.folder / f"{part}.log").read_text()
        try:
            return requests.get(f"{self.url(part)}/readyz", timeout=3).status_code == 200
        except requests.RequestException:
            return False
