"""Reports of a real agent to a real HTTP server."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import host, register
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import ToyHub


def test_it_registers_once_and_keeps_its_token(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    agent = start_agent()
    hub.wait_for(lambda: hub.reports)
    agent.terminate()
    agent.wait(60)
    start_agent(ENROLMENT_KEY="")
    hub.wait_for(lambda: len({r["runId"] for r in hub.reports}) == 2)
    (body,) = hub.registrations
    assert body["enrolmentKey"] == "the-key"
    assert body["agentId"] == "srv-1"
    assert body["fingerprint"] == register.fingerprint()
    assert len(body["fingerprint"]) == 64
    assert {"hostname", "version", "os", "kernel", "cpuCount", "memTotalMB"} <= set(body)
    assert set(hub.tokens) == {None, "toy-token-1"}
    token = tmp_path / "state" / "token.json"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700


def test_no_secret_is_in_its_log(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    hub.report_answer = (400, {"errors": {"token": "toy-token-1 the-key"}})
    start_agent()
    log = tmp_path / "agent.log"
    eventually(lambda: "dropped" in log.read_text())
    assert "toy-token-1" not in log.read_text()
    assert "the-key" not in log.read_text()


@pytest.mark.parametrize(
    ("status", "words"), [(401, "key is wrong"), (403, "address"), (409, "another machine"), (400, "agentId")]
)
def test_a_refused_registration_says_why(
    hub: ToyHub, start_agent: AgentStarter, tmp_path: Path, status: int, words: str
) -> None:
    hub.register_answer = (status, {"errors": {"agentId": "is wrong"}})
    agent = start_agent()
    eventually(lambda: words in (tmp_path / "agent.log").read_text())
    assert agent.poll() is None
    agent.terminate()
    assert agent.wait(60) == 0


def test_the_first_report_has_everything_and_the_next_only_news(
    hub: ToyHub, start_agent: AgentStarter, supervisor: str
) -> None:
    agent = start_agent(SUPERVISOR_SOCKET=supervisor, ALLOW="restart:web")
    hub.wait_for(lambda: len(hub.reports) >= 3)
    first, second = hub.reports[:2]
    mine = next(p for p in first["procs"] if p["pid"] == agent.pid)
    assert mine["cpu"] is None
    assert mine["cmdline"].endswith("-m agent --config " + mine["cmdline"].rsplit(" ", 1)[1])
    assert next(p for p in second["procs"] if p["pid"] == agent.pid)["cpu"] >= 0
    assert first["load"]["cpu"] is None
    assert first["load"]["diskReadBps"] is None
    assert 0 <= second["load"]["cpu"] <= 100
    parts = [second["load"][part] for part in ("cpuUser", "cpuSystem", "cpuSteal")]
    assert sum(parts) == pytest.approx(second["load"]["cpu"], abs=0.3)
    assert 0 <= second["load"]["cpuIowait"] <= 100
    assert "cpuUser" not in first["load"]
    assert second["load"]["netRxBps"] >= 0
    assert first["load"]["memUsedMB"] < first["load"]["memTotalMB"]
    assert [r["seq"] for r in hub.reports[:3]] == [1, 2, 3]
    assert first["bootId"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert abs(first["sentAt"] - first["ts"]) < 60
    assert first["procsTotal"] >= len(first["procs"])
    assert first["allow"] == ["restart:web"]
    assert "supervisord" in first["managers"]
    assert next(s for s in first["services"] if s["name"] == "web")["verbs"] == ["restart"]
    assert "services" not in second


def test_it_tells_the_zone_of_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("../usr/share/zoneinfo/Europe/Bucharest")
    monkeypatch.setattr(host, "LOCAL_TIME", str(link))
    assert host.time_zone() == {"timeZone": "Europe/Bucharest"}
    link.unlink()
    link.touch()  # a copy, as some systems have: then /etc/timezone counts
    monkeypatch.setattr(host, "_text", lambda path: {"/etc/timezone": "Asia/Tokyo"}[path])
    assert host.time_zone() == {"timeZone": "Asia/Tokyo"}
    monkeypatch.setattr(host, "_text", lambda path: "")
    assert host.time_zone() == {}


def test_a_changed_service_is_told(hub: ToyHub, start_agent: AgentStarter, supervisor: str) -> None:
    start_agent(SUPERVISOR_SOCKET=supervisor)
    hub.wait_for(lambda: hub.reports)
    web = next(s for s in hub.reports[0]["services"] if s["name"] == "web")
    os.kill(web["mainPid"], signal.SIGKILL)

    def told() -> bool:
        lists = [r["services"] for r in hub.reports if "services" in r]
        now = next(s for s in lists[-1] if s["name"] == "web")
        return now["mainPid"] not in (None, web["mainPid"])

    hub.wait_for(told)


def test_it_obeys_the_pace_the_hub_asks_for(hub: ToyHub, start_agent: AgentStarter) -> None:
    hub.interval = 2.0
    start_agent()
    hub.wait_for(lambda: len(hub.reports) >= 4)
    paces = [b["ts"] - a["ts"] for a, b in zip(hub.reports, hub.reports[1:], strict=False)]
    assert all(1.8 < pace < 3 for pace in paces)


def test_a_hub_in_trouble_is_asked_again(hub: ToyHub, start_agent: AgentStarter) -> None:
    hub.report_answer = (503, {})
    start_agent()
    hub.wait_for(lambda: "toy-token-1" in hub.tokens)
    hub.report_answer = None
    hub.wait_for(lambda: hub.reports, 30)
    assert {"services", "leases"} <= hub.reports[0].keys()


def test_a_redirect_is_not_followed_with_the_token(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    hub.report_answer = (302, {})
    start_agent()
    eventually(lambda: "set API to that address" in (tmp_path / "agent.log").read_text())
    assert not hub.reports


def test_sigterm_ends_it_at_once_in_the_middle_of_a_long_poll(hub: ToyHub, start_agent: AgentStarter) -> None:
    agent = start_agent()
    hub.wait_for(lambda: hub.polls and hub.reports)
    started = time.monotonic()
    agent.terminate()
    assert agent.wait(60) == 0
    assert time.monotonic() - started < 10  # far below the wait it was in


def test_sigterm_ends_it_while_the_hub_is_away(hub: ToyHub, start_agent: AgentStarter, tmp_path: Path) -> None:
    hub.close()
    agent = start_agent()
    eventually(lambda: "cannot register" in (tmp_path / "agent.log").read_text())
    started = time.monotonic()
    agent.terminate()
    assert agent.wait(60) == 0
    assert time.monotonic() - started < 10  # far below the wait it was in


def test_it_runs_as_one_file(hub: ToyHub, tmp_path: Path) -> None:
    """The zipapp as its README builds it."""
    root = Path(__file__).parents[2]
    build = tmp_path / "build"
    subprocess.run(["cp", "-r", root / "agent", "-t", _made(build)], check=True)
    target = tmp_path / "pmonitor-agent.pyz"
    subprocess.run([sys.executable, "-m", "zipapp", build, "-m", "agent.__main__:main", "-o", target], check=True)
    unit = subprocess.run([sys.executable, target, "--print-unit"], capture_output=True, text=True, check=True)
    assert unit.stdout == (root / "agent" / "pmonitor-agent.service").read_text()
    environ = {"API": hub.address, "AGENT_ID": "zip", "AGENT_TOKEN": "t", "STATE_DIR": str(tmp_path / "s")}
    agent = subprocess.Popen([sys.executable, target, "--config", "/dev/null"], cwd=tmp_path, env=environ)
    try:
        hub.wait_for(lambda: hub.reports and hub.polls)
    finally:
        agent.terminate()
    assert agent.wait(60) == 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
