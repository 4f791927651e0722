"""Borrowed stops by a real agent on a real supervisord: started again whatever happens, and told with proof."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import hubclock
from agent.managers.supervisord import Supervisord
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import ToyHub

Agent = subprocess.Popen[bytes]


@pytest.fixture
def agent(hub: ToyHub, start_agent: AgentStarter, supervisor: str) -> Callable[..., Agent]:
    """Starts an agent that may do everything with the real supervisord, and waits until it reports."""

    def start(**environ: str) -> Agent:
        seen = len(hub.reports)
        started = start_agent(**{"SUPERVISOR_SOCKET": supervisor, "ALLOW": "*:*", **environ})
        hub.wait_for(lambda: len(hub.reports) > seen)
        return started

    return start


def told(hub: ToyHub, number: int = 1) -> dict[str, Any]:
    hub.wait_for(lambda: len(hub.results) >= number)
    return hub.results[number - 1][1]


def lease(hub: ToyHub, *states: str) -> dict[str, Any]:
    """The lease as a report tells it, once it is in one of these states."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [one for report in hub.reports for one in report.get("leases", []) if one["state"] in states]
        return bool(found)

    hub.wait_for(there, 25)
    return found[0]


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "starts").read_text().splitlines())


def state(supervisor: str, name: str = "web") -> str:
    return str(Supervisord(supervisor).show(name)["activeState"])


def lent(hub: ToyHub, seconds: int = 600) -> None:
    """web is stopped for so long."""
    hub.command(1, "stop", "web", args={"forSec": seconds})
    assert told(hub)["until"]


def test_it_is_started_again_when_its_time_is_over_and_the_proof_is_told_until_taken(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    agent()
    command = hub.command(1, "stop", "web", args={"forSec": 2})
    result = told(hub)
    assert result["outcome"] == "done"
    assert result["after"]["activeState"] == "inactive"
    assert 0 < hubclock.parse(result["until"]) - hubclock.parse(result["startedAt"]) < 2.5
    held = lease(hub, "held")
    assert (held["target"], held["command"]) == ("web", command["id"])
    hub.report_answer = (503, {})
    eventually(lambda: state(supervisor) == "active")
    hub.report_answer = None
    ended = lease(hub, "started")
    assert ended["before"]["activeState"] == "inactive"
    assert ended["after"]["activeState"] == "active"
    assert ended["after"]["mainPid"] > 0
    assert ended["endedAt"] > result["until"]
    seen = len(hub.reports)
    hub.wait_for(lambda: len(hub.reports) > seen + 1)
    assert "leases" not in hub.reports[-1], "told once it is taken"
    assert starts(tmp_path) == 2


def test_the_hub_gone_and_the_agent_killed_it_is_started_again(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    running = agent()
    hub.command(1, "stop", "web", args={"forSec": 3})
    assert told(hub)["until"]
    hub.close()
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert state(supervisor) == "inactive"
    hub.open()
    agent()
    assert lease(hub, "started")["after"]["activeState"] == "active"
    assert starts(tmp_path) == 2


def test_killed_while_it_is_stopping_it_owes_the_start_all_the_same(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    running = agent(SETTLE_SEC="30")
    hub.command(1, "stop", "web", args={"forSec": 3})
    eventually(lambda: (tmp_path / "state/journal.jsonl").read_text().count('"acting"') == 2)
    running.kill()
    running.wait()
    agent()
    result = told(hub)
    assert (result["outcome"], result["after"]["activeState"]) == ("interrupted", "inactive")
    assert result["until"]
    assert lease(hub, "started")["after"]["activeState"] == "active"


def test_after_a_reboot_it_is_started_again(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    running = agent()
    lent(hub)
    running.terminate()
    running.wait()
    book = tmp_path / "state/leases.json"
    (kept,) = json.loads(book.read_text())
    book.write_text(json.dumps([{**kept, "bootId": "the boot before", "bootUntil": 1e9, "wallUntil": 1.0}]))
    agent()
    assert lease(hub, "started")["after"]["activeState"] == "active"


@pytest.mark.parametrize(("boot_id", "how"), [("", "others"), ("the boot before", "booted")])
def test_what_is_active_without_the_agent_ends_it(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str, boot_id: str, how: str
) -> None:
    running = agent()
    lent(hub)
    if boot_id:
        running.terminate()
        running.wait()
        book = tmp_path / "state/leases.json"
        (kept,) = json.loads(book.read_text())
        book.write_text(json.dumps([{**kept, "bootId": boot_id}]))
    Supervisord(supervisor).act("start", "web", 10)
    if boot_id:
        agent()
    assert lease(hub, "others", "booted")["state"] == how
    assert starts(tmp_path) == 2


def test_extending_counts_from_now_and_keeping_ends_it(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    agent()
    lent(hub, 20)
    hub.command(2, "extend", "web", args={"forSec": 3600})
    extended = told(hub, 2)
    assert (extended["outcome"], extended["after"]["activeState"]) == ("done", "inactive")
    assert 3500 < hubclock.parse(extended["until"]) - hubclock.parse(extended["startedAt"]) < 3601
    hub.command(3, "keep", "web")
    assert told(hub, 3)["outcome"] == "done"
    assert "until" not in told(hub, 3)
    assert lease(hub, "kept")["target"] == "web"
    assert json.loads((tmp_path / "state/leases.json").read_text())[0]["state"] == "kept"
    hub.command(4, "extend", "web", args={"forSec": 3600})
    assert told(hub, 4)["reason"] == "web is not stopped for a time"
    assert state(supervisor) == "inactive"


@pytest.mark.parametrize(("cmd", "how"), [("start", "command"), ("restart", "command"), ("stop", "kept")])
def test_a_command_on_the_service_ends_it(
    hub: ToyHub, agent: Callable[..., Agent], supervisor: str, cmd: str, how: str
) -> None:
    agent()
    lent(hub)
    hub.command(2, cmd, "web")
    assert told(hub, 2)["outcome"] == "done"
    assert lease(hub, "command", "kept", "others")["state"] == how


def test_a_stop_that_was_extended_while_the_agent_died_is_known_by_the_book(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path
) -> None:
    running = agent()
    lent(hub)
    hub.command(2, "extend", "web", args={"forSec": 3600})
    told(hub, 2)
    running.kill()
    running.wait()
    journal = tmp_path / "state/journal.jsonl"
    steps = [json.loads(line) for line in journal.read_text().splitlines()]
    cut = [s for s in steps if not (s["id"][-1] == "2" and s["step"] in ("done", "reported"))]
    undone = [{**step, "id": step["id"][:-1] + "3"} for step in cut if step["id"][-1] == "2"]
    journal.write_text("".join(json.dumps(step) + "\n" for step in [*cut, *undone]))
    agent()
    hub.wait_for(lambda: len(hub.results) >= 4)
    again = {command[-1]: result for command, result in hub.results[2:]}
    assert (again["2"]["outcome"], bool(again["2"]["until"])) == ("done", True)
    assert (again["3"]["outcome"], again["3"]["reason"][:7]) == ("failed", "not run")


@pytest.mark.parametrize(
    ("allow", "asked"),
    [
        ("stop:*", [("stop", {"forSec": 60}, "does not allow the hub to start")]),
        (
            "start:*",
            [
                ("stop", {"forSec": 60}, "does not allow the hub to stop"),
                ("keep", {}, "does not allow the hub to stop"),
                ("extend", {"forSec": 60}, "does not allow the hub to stop"),
            ],
        ),
        (
            "*:*",
            [
                ("extend", {"forSec": 60}, "web is not stopped for a time"),
                ("keep", {}, "web is not stopped for a time"),
                *(("stop", {"forSec": s}, "not a whole number") for s in (0, 86_401, True, "60", None, 1.5)),
                ("restart", {"forSec": 60}, "forSec is for stop and extend"),
            ],
        ),
    ],
)
def test_what_may_not_be_lent_is_refused(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, allow: str, asked: list[tuple[str, dict[str, Any], str]]
) -> None:
    agent(ALLOW=allow)
    for number, (cmd, args, words) in enumerate(asked, start=1):
        hub.command(number, cmd, "web", args=args)
        assert told(hub, number)["outcome"] == "refused"
        assert words in told(hub, number)["reason"]
    assert not (tmp_path / "state/leases.json").exists()
    assert starts(tmp_path) == 1


def test_without_the_lease_on_disk_nothing_is_stopped(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    agent()
    (tmp_path / "state/leases.json.new").mkdir()
    hub.command(1, "stop", "web", args={"forSec": 60})
    result = told(hub)
    assert (result["outcome"], result["reason"][:43]) == ("failed", "not run: the agent's leases cannot be writt")
    assert state(supervisor) == "active"


def test_a_start_that_fails_is_tried_again_and_told(
    hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path, supervisor: str
) -> None:
    (tmp_path / "whole").touch()
    assert Supervisord(supervisor).act("start", "broken", 20).exit_code == 0
    (tmp_path / "whole").unlink()
    running = agent()
    hub.command(1, "stop", "broken", args={"forSec": 1})
    assert told(hub)["until"]
    tried = lease(hub, "starting")
    hub.wait_for(lambda: any(x.get("attempts") for r in hub.reports for x in r.get("leases", [])))
    assert tried["target"] == "broken"
    running.terminate()
    running.wait()
    book = tmp_path / "state/leases.json"
    (kept,) = json.loads(book.read_text())
    book.write_text(json.dumps([{**kept, "attempts": 4, "nextTry": 0}]))  # the last one
    agent()
    failed = lease(hub, "failed")
    assert failed["attempts"] == 5
    assert failed["reason"]
    assert failed["after"]["activeState"] != "active"


def test_what_its_owner_allows_no_more_is_not_started(hub: ToyHub, agent: Callable[..., Agent], tmp_path: Path) -> None:
    running = agent()
    lent(hub, 2)
    running.kill()
    running.wait()
    agent(ALLOW="stop:*")
    assert "does not allow the hub to start web" in lease(hub, "failed")["reason"]
    assert starts(tmp_path) == 1
