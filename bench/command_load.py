"""Measures how long commands take on the hub at --port; command_latency.py starts that hub and runs this.

One event loop holds all waiting agents; the main thread asks for commands one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import statistics
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")

import django

django.setup()

import psutil  # noqa: E402
import psycopg  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402

from actions import lifecycle, states  # noqa: E402
from actions.models import Command  # noqa: E402
from bench.budgets import Budget, close  # noqa: E402
from pmonitor import secrets, tokens  # noqa: E402
from servers.models import Server, Service  # noqa: E402

PAUSE_SEC = 0.02  # between two commands
UNIT = "bench.service"


class Agents:
    """N agents that wait in one event loop; when a command came is noted by its id."""

    def __init__(self, port: int, tokens: dict[str, str]) -> None:
        self.port, self.tokens = port, tokens
        self.came: dict[str, float] = {}
        self.loop = asyncio.new_event_loop()
        self.news = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._agent(name, token) for name, token in self.tokens.items()))

    async def _agent(self, name: str, token: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [
            f"GET /api/actions/queue/{name}?wait={random.randint(20, 55)} HTTP/1.1",
            "Host: localhost",
            f"X-Agent-Token: {token}",
        ]
        while True:
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await _body(reader, head)
            moment = time.perf_counter()
            if " 200 " in head.splitlines()[0]:
                self._note(json.loads(body), moment)

    def _note(self, answer: dict[str, Any], moment: float) -> None:
        with self.news:
            self.came.update({given["id"]: moment for given in answer["commands"]})
            self.news.notify_all()

    def when(self, command: str) -> float:
        """The moment the command came to its agent."""
        with self.news:
            assert self.news.wait_for(lambda: command in self.came, 20), "a command did not come"
            return self.came[command]


async def _body(reader: asyncio.StreamReader, head: str) -> bytes:
    if "transfer-encoding: chunked" in head:
        body = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
    length = next((int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length:")), 0)
    return await reader.readexactly(length)


class Floor:
    """A bare listener: a committed row with its NOTIFY, until it is seen."""

    def __init__(self, url: str) -> None:
        self.sender = psycopg.connect(url, autocommit=True)
        self.sender.execute("CREATE TABLE bench_floor (id bigserial PRIMARY KEY, what text)")
        self.listener = psycopg.connect(url, autocommit=True)
        self.listener.execute("LISTEN bench_floor")

    def once(self) -> float:
        """Seconds from before the INSERT to the notice."""
        seen: list[float] = []

        def listen() -> None:
            for _notice in self.listener.notifies(timeout=10, stop_after=1):
                seen.append(time.perf_counter())

        thread = threading.Thread(target=listen)
        thread.start()
        started = time.perf_counter()
        with self.sender.transaction():
            self.sender.execute("INSERT INTO bench_floor (what) VALUES ('restart')")
            self.sender.execute("SELECT pg_notify('bench_floor', '1')")
        thread.join()
        return seen[0] - started


class Fleet:
    """Servers that take one command after the other, each with one service."""

    def __init__(self, count: int, port: int) -> None:
        made = {f"bench-{number}": secrets.new("pma") for number in range(count)}
        Server.objects.bulk_create(
            Server(agent_id=name, hostname=name, token_prefix=prefix, token_hash=hashed)
            for name, (_token, prefix, hashed) in made.items()
        )
        self.servers = list(Server.objects.all())
        Service.objects.bulk_create(
            Service(server=server, name=UNIT, active_state="active", verbs=["restart"]) for server in self.servers
        )
        self.tokens = {name: token for name, (token, _prefix, _hashed) in made.items()}
        # Bare: what a heavier client adds is not the hub's.
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        admin = User.objects.create_superuser("bench", password=None)
        self.headers = {"Authorization": f"Bearer {tokens.new(admin)}", "Content-Type": "application/json"}

    def queue(self, server: Server) -> str:
        """Queue a command for the server, as the hub's own code does; returns its id."""
        command = lifecycle.queue(server=server, cmd="restart", target=UNIT, actor=lifecycle.HUB)
        return str(command.uuid)

    def post(self, server: Server) -> str:
        """Ask for one by the API; returns its id."""
        body = json.dumps({"cmd": "restart", "target": UNIT})
        self.connection.request("POST", f"/api/actions/{server.agent_id}", body, self.headers)
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status == 201, said
        return str(json.loads(said)["id"])

    def hung(self) -> float:
        """How many polls wait in the web process, as it says itself: what an agent has only sent waits for its turn."""
        self.connection.request("GET", "/metrics")
        lines = self.connection.getresponse().read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("pmonitor_waiting_agents "))

    def free(self) -> Server:
        """A server without a command; those measured before are put out of the way here, outside of what is timed."""
        past = timezone.now() - timedelta(seconds=1)
        for command in Command.objects.filter(state=states.DELIVERED).select_related("server"):
            command.deliver_by = past
            lifecycle.expire(command)
        return random.choice(self.servers)


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("port", "web-pid", "agents", "commands"):
        arguments.add_argument(f"--{name}", type=int, required=True)
    given = arguments.parse_args()
    fleet = Fleet(given.agents, given.port)
    agents = Agents(given.port, fleet.tokens)
    while fleet.hung() < given.agents:
        time.sleep(0.5)
    time.sleep(2)  # the last of them have looked at the table, too
    took = measure(fleet, agents, Floor(os.environ["DATABASE_URL"]), given.commands)
    web = psutil.Process(given.web_pid)
    shown = f"{web.memory_info().rss / 1e6:.0f} MB, {web.num_threads()} threads"
    print(f"{given.agents:,} agents waiting; the web process: {shown}")
    show(took)
    asked = sorted(1000 * seconds for seconds in took["asked by POST"])
    close(
        Budget("command asked for to agent's hands, p50", statistics.median(asked), 15, "ms"),
        Budget("command asked for to agent's hands, p99", asked[int(len(asked) * 0.99)], 60, "ms"),
    )


def measure(fleet: Fleet, agents: Agents, floor: Floor, commands: int) -> dict[str, list[float]]:
    """Seconds of each command, by kind, measured in turns."""
    took: dict[str, list[float]] = {"NOTIFY alone": [], "queued": [], "asked by POST": []}
    for _number in range(commands):
        took["NOTIFY alone"].append(floor.once())
        for name, ask in (("queued", fleet.queue), ("asked by POST", fleet.post)):
            server = fleet.free()
            time.sleep(PAUSE_SEC)
            started = time.perf_counter()
            took[name].append(agents.when(ask(server)) - started)
    return took


def show(took: dict[str, list[float]]) -> None:
    """A line a kind: p50, p99, the longest, and p50 against the floor's."""
    floor = statistics.median(took["NOTIFY alone"])
    print(f"{'':16}{'p50':>10}{'p99':>10}{'most':>10}{'p50 / floor':>14}")
    for name, seconds in took.items():
        ordered = sorted(seconds)
        p50, p99 = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        shown = "".join(f"{1000 * value:>7.1f} ms" for value in (p50, p99, ordered[-1]))
        print(f"{name:16}{shown}{p50 / floor:>14.1f}")


if __name__ == "__main__":
    main()
