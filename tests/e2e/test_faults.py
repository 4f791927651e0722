"""Parts killed and answers lost in the middle of a command, with real processes: one execution, and a true outcome.

What a single agent does on its own is in tests/agent/test_commands.py, what a machine does in tests/hosts; the whole
table is docs/faults.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.hub import CHECKOUT, Hub
from tests.e2e.net import Net
from tests.hosts.hub_api import Api
from tests.hosts.waiting import eventually

PROGRAMS = ("agent", "web", "database", "poll", "ack", "result", "cable", "lone")
AGENT_ID = "srv-faults"
ACTS_SEC = 2  # so long supervisord says that it is at work: time to break something in the middle


class Site:
    """A hub, the net to it, a supervisord with a program for each test, and an agent."""

    def __init__(self, folder: Path, hub: Hub, net: Net) -> None:
        self.folder, self.hub, self.net = folder, hub, net
        self.api = Api(hub, AGENT_ID)
        self.key = hub.enrolment_key
        self.socket = folder / "supervisor.sock"
        self.processes: list[subprocess.Popen[bytes]] = []

    def supervisord(self) -> None:
        counts = f"echo started >> {self.folder}/%(program_name)s.starts; exec sleep 1000"
        program = f"command=/bin/sh -c '{counts}'\nautostart=true\nstartsecs={ACTS_SEC}\n"
        config = self.folder / "supervisord.conf"
        config.write_text(
            textwrap.dedent(f"""
            [unix_http_server]
            file={self.socket}
            [supervisord]
            logfile={self.folder}/supervisord.log
            pidfile={self.folder}/supervisord.pid
            childlogdir={self.folder}
            [rpcinterface:supervisor]
            supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
            """)
            + "".join(f"[program:{name}]\n{program}" for name in PROGRAMS)
        )
        self._start("supervisor.supervisord", "-n", "-c", str(config))
        eventually(lambda: [self.starts(name) for name in PROGRAMS], lambda counts: min(counts) == 1, 30)

    def agent(self) -> subprocess.Popen[bytes]:
        known = {name: value for name, value in os.environ.items() if not name.startswith("AGENT")}
        settings = {"API": self.net.address, "AGENT_ID": AGENT_ID, "ENROLMENT_KEY": self.key, "ALLOW": "*:*"}
        own = {"STATE_DIR": str(self.folder / "state"), "SUPERVISOR_SOCKET": str(self.socket)}
        return self._start("agent", "--config", "/dev/null", env=known | settings | own)

    def _start(self, module: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module}.log").open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def child(self, words: str) -> psutil.Process:
        """The hub's child process whose command line has these words."""
        assert self.hub.process is not None
        children = psutil.Process(self.hub.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))

    def starts(self, program: str) -> int:
        file = self.folder / f"{program}.starts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def acting(self, program: str) -> str:
        """A restart that is under way: the agent has said so, and supervisord is at it."""
        command = self.api.ask("restart", program)
        eventually(lambda: self.starts(program), lambda count: count == 2, 30)
        return command

    def proved(self, command: str, program: str) -> dict[str, Any]:
        """The command once it has ended: done, once, and told so."""
        done = eventually(lambda: self.told(command), lambda told: told.get("endedAt") is not None, 90)
        assert (done["state"], done["verdict"]) == ("succeeded", "restarted"), done
        assert self.starts(program) == 2
        return done

    def told(self, command: str) -> dict[str, Any]:
        """The command as the hub tells it now; empty while it cannot."""
        return self.asked(f"commands/{command}")

    def asked(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.api.get(path)
        except (OSError, AssertionError):  # the hub is away, or has no database just now
            return {}
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("faults")
    with Hub(folder / "data", "--no-agent") as hub, Net(hub.url) as net:
        site = Site(folder, hub, net)
        try:
            site.supervisord()
            site.agent()
            eventually(lambda: site.asked("servers/srv-faults").get("services"), bool, 60)
            yield site
        finally:
            for process in site.processes:
                process.terminate()  # supervisord ends its programs then
                process.wait(120)


def moves(done: dict[str, Any]) -> list[str]:
    return [move["to"] for move in done["moves"]]


def deliveries(done: dict[str, Any]) -> int:
    """How often it was delivered before it ran, once, and well; more often where a machine is slower than the lease."""
    *ways, running, ended = moves(done)
    assert (running, ended) == ("running", "succeeded")
    assert ways == ["queued", "delivered"] * (len(ways) // 2)
    return len(ways) // 2


def test_the_agent_is_killed_while_it_acts(site: Site) -> None:
    command = site.acting("agent")
    site.processes[-1].kill()
    site.processes[-1].wait()
    site.agent()
    done = site.proved(command, "agent")
    assert done["evidence"]["outcome"] == "interrupted"
    assert moves(done) == ["queued", "delivered", "running", "succeeded"]


@pytest.mark.parametrize(("part", "words"), [("web", "serve"), ("database", "postgres")])
def test_a_part_of_the_hub_is_killed_while_the_agent_acts(site: Site, part: str, words: str) -> None:
    command = site.acting(part)
    killed = site.child(words)
    killed.kill()
    done = site.proved(command, part)
    assert not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE
    assert moves(done)[-2:] == ["running", "succeeded"]


def test_answers_that_are_lost_on_their_way_back_cause_no_second_action(site: Site) -> None:
    """Of the poll: delivered again when its lease is over. Of the acknowledgement and the result: said again."""
    site.net.lose_answer(AGENT_ID)
    lost_on_delivery = site.api.ask("restart", "poll")
    eventually(lambda: site.net.lost, lambda lost: lost == [AGENT_ID], 30)
    site.net.lose_answer("/ack")
    site.net.lose_answer("/result")
    others = {program: site.api.ask("restart", program) for program in ("ack", "result")}
    for program, command in others.items():
        assert deliveries(site.proved(command, program)) >= 1
    assert deliveries(site.proved(lost_on_delivery, "poll")) >= 2
    assert site.net.lost == [AGENT_ID, "/ack", "/result"]


def test_the_cable_is_pulled_before_the_result_can_be_told(site: Site) -> None:
    command = site.acting("cable")
    site.net.cut = True
    journal = site.folder / "state" / "journal.jsonl"
    eventually(journal.read_text, lambda text: f'"{command}","step":"done"' in text, 30)
    assert site.told(command)["state"] == "running"
    site.net.cut = False
    site.proved(command, "cable")


def test_while_nobody_disturbs_it_nothing_is_said_twice(site: Site) -> None:
    done = site.proved(site.acting("lone"), "lone")
    assert done["deliveries"] == 1
