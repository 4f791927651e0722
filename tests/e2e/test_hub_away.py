"""A hub that is killed and comes back: its agents' reports of that time fill the gap, behind what is new, each once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.e2e.hub import CHECKOUT, Hub
from tests.hosts.waiting import eventually

AGENT_ID = "srv-waits"
STORED = """
    import json
    from django.db import connection
    from servers.models import Server
    pk = Server.objects.get(agent_id='srv-waits').pk
    def asked(query):
        with connection.cursor() as cursor:
            cursor.execute(query, [pk])
            return cursor.fetchall()
    came = "SELECT ts, extract(epoch FROM sampled_at)::float8 FROM servers_hostreading WHERE server_id = %s ORDER BY "
    print(json.dumps(dict(
        came=[ts for ts, _at in asked(came + "tableoid, ctid")],
        readings=asked(came + "ts"),
        tables=[ts for ts, in asked("SELECT ts FROM servers_processsnapshot WHERE server_id = %s ORDER BY ts")],
    )))
"""


class Stored(NamedTuple):
    """What the hub has: samples by the agent's time in the order of their coming; when each was, by both clocks."""

    came: list[float]
    readings: list[tuple[float, float]]
    tables: list[float]


class Waiting:
    """An agent that reports each second, and what of its reports waits on its disk."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder, self.hub = folder, hub
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        known = {name: value for name, value in os.environ.items() if not name.startswith("AGENT")}
        settings = {"API": self.hub.url, "AGENT_ID": AGENT_ID, "ENROLMENT_KEY": self.hub.enrolment_key}
        own = {"STATE_DIR": str(self.folder / "state"), "INTERVAL": "1"}
        command = [sys.executable, "-m", "agent", "--config", os.devnull]
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, env=known | settings | own, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def on_disk(self) -> list[float]:
        """The times, by the agent's clock, of the samples that wait there."""
        times = []
        for file in sorted((self.folder / "state" / "backlog").glob("*.report")):
            with suppress(FileNotFoundError):  # it has been sent meanwhile
                times.append(round(json.loads(file.read_bytes().partition(b"\n")[0])[0], 3))
        return times

    def stored(self) -> Stored:
        return Stored(**json.loads(self.hub.manage("shell", "-v", "0", "-c", textwrap.dedent(STORED))))


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Waiting]:
    hub = Hub(tmp_path / "data", "--no-agent")
    hub.environment["REPORT_INTERVAL_SEC"] = "1"
    with hub:
        agent = Waiting(tmp_path, hub)
        agent.start()
        try:
            eventually(lambda: agent.folder.joinpath("state", "token.json").exists(), bool, 60)
            yield agent
        finally:
            agent.kill()


def cut_the_power_of(hub: Hub) -> None:
    """Web, worker and PostgreSQL at once."""
    assert hub.process is not None
    running = psutil.Process(hub.process.pid)
    parts = [running, *running.children(recursive=True)]
    for part in parts:
        part.suspend()  # so that none of them sees another one end
    for part in parts:
        part.kill()
    hub.process.wait()
    psutil.wait_procs(parts)


def test_history_is_complete_after_the_hub_was_away_and_the_agent_was_killed(agent: Waiting) -> None:
    eventually(lambda: len(agent.stored().came), lambda count: count >= 3, 60)
    cut_the_power_of(agent.hub)
    waited = eventually(agent.on_disk, lambda waiting: len(waiting) >= 25, 60)
    agent.hub.__enter__()
    eventually(lambda: len(agent.on_disk()), lambda count: count < len(waited) - 2, 120)  # it catches up
    agent.kill()
    left = agent.on_disk()
    agent.start()
    eventually(agent.on_disk, lambda waiting: not waiting, 120)
    stored = agent.stored()
    times = [ts for ts, _at in stored.readings]
    assert left
    assert set(waited) <= set(times)
    assert len(times) == len(set(times))
    assert stored.tables == times
    assert all(abs(at - ts) < 1 for ts, at in stored.readings)  # both clocks are this machine's
    oldest = stored.came.index(min(waited))
    assert stored.came[oldest - 1] > max(waited)  # first what was new, then what had waited longest
    assert [ts for ts in stored.came[oldest:] if ts in waited] == waited
