"""A rollout over three real Debian servers with systemd: one fails, is repaired and retried, and it is seen through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.e2e.hub import Hub
from tests.hosts.agent_install import install_agent
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

pytestmark = [pytest.mark.hosts, pytest.mark.xdist_group("hosts")]
NAMES = ("srv-roll-1", "srv-roll-2", "srv-roll-3")
BROKEN = "/run/pm-broken"
UNIT = "pm-rolled.service"
PROBE = "http://127.0.0.1:8080/"
TEXT = f"""[Service]
ExecStartPre=/bin/sh -c 'test ! -e {BROKEN} || {{ echo bad configuration >&2; exit 3; }}'
ExecStart=/usr/bin/python3 -m http.server 8080 --bind 127.0.0.1
"""


@pytest.fixture(scope="module")
def servers(lab: Lab, hub: Hub) -> Iterator[list[Host]]:
    hosts = lab.boot(*NAMES)
    for host in hosts:
        host.install_unit(UNIT, TEXT)
        host.systemctl("start", UNIT)
        install_agent(host, hub.url, hub.enrolment_key, "start,stop,restart:pm-*.service")
    yield hosts
    for host in hosts:
        lab.discard(host)


@pytest.fixture(scope="module")
def program(hub: Hub) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {hub.api_token}"
    return session


def call(program: requests.Session, hub: Hub, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    address = f"{hub.url}/api/{path}"
    answer = program.get(address, timeout=10) if body is None else program.post(address, json=body, timeout=10)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pids(servers: list[Host]) -> list[str]:
    return [host.unit_state(UNIT)["MainPID"] for host in servers]


def test_one_fails_it_halts_and_after_the_repair_it_is_seen_through(
    hub: Hub, servers: list[Host], program: requests.Session
) -> None:
    asked = {"cmd": "restart", "target": UNIT, "reason": "a test", "pauseSec": 1, "name": "srv-roll-*", "probe": PROBE}
    plan = {"dryRun": True, **asked}
    eventually(lambda: call(program, hub, "rollouts", plan)["count"], lambda count: count == 3, 60)
    before = pids(servers)
    servers[1].write(BROKEN, "")
    number = call(program, hub, "rollouts", {**asked, "count": 3})["number"]

    halted = eventually(lambda: call(program, hub, f"rollouts/{number}"), lambda one: one["state"] == "halted", 60)
    assert [step["state"] for step in halted["steps"]] == ["succeeded", "failed", "todo"], halted
    assert halted["sentence"].startswith("Halted in batch 2 of 3: pm-rolled did not restart on srv-roll-2.")
    now = pids(servers)
    assert now[0] != before[0]
    assert now[1] == "0"
    assert now[2] == before[2], "the third one is untouched"

    servers[1].run("rm", BROKEN)
    call(program, hub, f"rollouts/{number}/retry", {"reason": "repaired", "moves": halted["moves"]})
    over = ("finished", "halted", "ended")
    done = eventually(lambda: call(program, hub, f"rollouts/{number}"), lambda one: one["state"] in over, 60)
    assert done["state"] == "finished", done
    assert all(step["said"].startswith("HTTP 200 in ") for step in done["steps"]), done
    after = pids(servers)
    assert "0" not in after
    assert not set(after) & set(before)
    assert after[0] == now[0], "what had succeeded is not restarted again"
    commands = [one for one in call(program, hub, "commands")["commands"] if one["rollout"] == number]
    assert sorted(one["state"] for one in commands) == ["failed", "succeeded", "succeeded", "succeeded"]
    told = [move["event"] for move in done["history"]]
    assert told == ["rollout.started", "rollout.halted", "rollout.retried", "rollout.finished"]
