"""The hub the browser tests look at: a real process on a database of its own in the suite's PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests import databases
from tests.hosts.waiting import eventually
from tests.ports import free_port

CHECKOUT = Path(__file__).parents[2]


class Hub:
    """A web process with its worker thread; servers: how many it begins with."""

    def __init__(self, folder: Path, name: str, servers: int) -> None:
        self.database = databases.name(name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": databases.make(self.database),
            "DATABASE_POOL": "8",
            "LIMIT_REGISTER": "1000",
            "LIMIT_ACTIONS": "1000",
        }
        self.python("-m", "tests.browser.fill", str(servers))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        eventually(self._answers, bool, 60)

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def close(self) -> None:
        """End it and drop its database."""
        self.kill()
        databases.drop(self.database)

    def python(self, *arguments: str) -> str:
        """Run Python on this hub's database; returns what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=CHECKOUT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def post(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        """What an agent sends, and the answer."""
        headers = {"X-Agent-Token": token} if token else {}
        answer = requests.post(self.url + path, json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement on its database; the rows of those that have some."""
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/login/", timeout=2).ok
        except requests.ConnectionError:
            return False


class Agent:
    """A server's agent, as far as the pages need one."""

    def __init__(self, hub: Hub, agent_id: str, key: str, hostname: str = "") -> None:
        asked = {"enrolmentKey": key, "agentId": agent_id, "hostname": hostname or agent_id}
        self.hub, self.id = hub, agent_id
        self.token = str(hub.post("/api/agents/register", asked)["token"])
        self.ts = 1_726_147_200

    def report(self, cpu: float = 8.9, memory: float = 2048, **more: Any) -> None:
        """Send a report with these readings."""
        self.ts += 10
        procs = [{"name": "redis-server", "pid": 123, "cpu": cpu, "memMB": 78, "status": "running"}]
        load = {"cpu": cpu, "memUsedMB": memory, "memTotalMB": 8192, "load1": cpu / 10}
        body = {"agentId": self.id, "ts": self.ts, "procs": procs, "load": load, "uptimeSec": 123_456} | more
        self.hub.post(f"/api/agents/{self.id}/metrics", body, self.token)
