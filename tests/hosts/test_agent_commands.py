"""Commands by the whole path: a real hub, the agent installed on a real server, services that misbehave in each way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.hub import Hub
from tests.hosts import remedying, units
from tests.hosts.agent_install import SERVICE, install_agent, uninstall_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

RSS_BOUND_KB = 32 * 1024
ALLOW = "start,stop,restart,reload:pm-*.service signal,renice:pm-deaf signal:systemd-*"
DEAF = "cp /bin/sleep /tmp/pm-deaf; trap '' TERM; exec /tmp/pm-deaf 600"
INSTALLED = ("/etc/pmonitor", "/usr/lib/pmonitor", "/var/lib/pmonitor-agent", f"/etc/systemd/system/{SERVICE}")


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-units")
    units.install_units(host)
    host.systemctl("start", units.OK, units.SLOW_STOP)
    install_agent(host, hub.url, hub.enrolment_key, ALLOW)
    yield host
    lab.discard(host)


@pytest.fixture(scope="module")
def api(hub: Hub, server: Host) -> Api:
    api = Api(hub, "srv-units")
    eventually(lambda: api.service(units.OK), bool, REPORTED_WITHIN)
    return api


def test_the_installed_agent_keeps_its_secrets_and_its_bounds(server: Host, api: Api) -> None:
    assert server.run("systemd-analyze", "verify", f"/etc/systemd/system/{SERVICE}").stderr == ""
    for secret, owner in (
        ("/etc/pmonitor/agent.env", "root"),
        ("/var/lib/pmonitor-agent/token.json", "pmonitor-agent"),
    ):
        assert server.run("stat", "-c", "%a %U", secret).stdout.strip() == f"600 {owner}"
    state = server.wait_unit(SERVICE, ActiveState="active", SubState="running")
    status = server.read(f"/proc/{state['MainPID']}/status")
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert rss <= RSS_BOUND_KB


def test_a_restart_is_proved_by_another_main_process(server: Host, api: Api) -> None:
    before = server.unit_state(units.OK)["MainPID"]
    done = api.outcome(api.ask("restart", units.OK))
    assert done["state"] == "succeeded", done
    after = server.unit_state(units.OK)["MainPID"]
    assert after != before
    assert (str(done["evidence"]["before"]["mainPid"]), str(done["evidence"]["after"]["mainPid"])) == (before, after)


@pytest.mark.parametrize(
    ("cmd", "target", "execute_within", "states", "exit_code"),
    [
        ("reload", units.OK, 60, {"succeeded"}, 0),
        ("start", units.DIES_SOON, 60, {"failed"}, 0),
        ("start", units.FAILS_TO_START, 60, {"failed"}, 1),
        ("start", units.ONESHOT, 60, {"succeeded"}, 0),
        ("stop", units.SLOW_STOP, 60, {"succeeded"}, 0),
        ("start", units.RESTART_LOOP, 60, {"failed", "unknown"}, 0),
        ("start", units.NEVER_READY, 10, {"failed", "unknown"}, None),
    ],
)
def test_the_outcome_is_what_was_observed(
    server: Host, api: Api, cmd: str, target: str, execute_within: int, states: set[str], exit_code: int | None
) -> None:
    done = api.outcome(api.ask(cmd, target, execute_within))
    assert done["state"] in states, done
    assert done["evidence"].get("exitCode") == exit_code, done
    if target not in (units.OK, units.SLOW_STOP):
        server.systemctl("stop", "--no-block", target)


@pytest.mark.parametrize("target", [units.MASKED, "cron.service"])
def test_what_may_not_be_done_is_refused_by_the_hub(api: Api, target: str) -> None:
    assert api.service(target)["verbs"] == []
    assert api.post("restart", target).status_code == 409


def test_a_restart_by_hand_is_seen(server: Host, api: Api) -> None:
    server.systemctl("restart", units.OK)
    pid = int(server.unit_state(units.OK)["MainPID"])
    eventually(lambda: api.service(units.OK)["mainPid"], lambda seen: seen == pid, REPORTED_WITHIN)


def test_a_process_that_does_not_listen_is_still_there_and_then_killed(server: Host, api: Api) -> None:
    server.run("systemd-run", "--unit=deaf", "--uid=nobody", "sh", "-c", DEAF)
    who = eventually(lambda: api.process("pm-deaf"), bool, REPORTED_WITHIN)
    target = f"pm-deaf[{who['pid']}]"
    niced = api.outcome(api.ask("renice", target, args={**who, "nice": -5}))
    assert niced["sentence"] == "Its nice value is -5.", niced
    still = api.outcome(api.ask("signal", target, args={**who, "signal": "TERM"}))
    assert (still["state"], still["verdict"]) == ("failed", "still_there"), still
    gone = api.outcome(api.ask("signal", target, args={**who, "signal": "KILL"}))
    assert (gone["state"], gone["verdict"]) == ("succeeded", "ended"), gone
    assert server.run("test", "-e", f"/proc/{who['pid']}", check=False).returncode == 1
    journald = api.process("systemd-journal")
    refused = api.outcome(api.ask("signal", f"systemd-journal[{journald['pid']}]", args={**journald, "signal": "TERM"}))
    assert refused["state"] == "refused"
    assert "systemd-journal is protected" in refused["sentence"]


def test_a_units_journal_is_read_by_level_and_followed(server: Host, api: Api) -> None:
    says = 'echo first; echo "<3>broken, password=hunter2"; trap "echo again" USR1; while :; do sleep 0.1; done'
    server.run("systemd-run", "--unit=pm-talks", "sh", "-c", says)
    unit = "pm-talks.service"
    log = eventually(lambda: api.log(unit), lambda told: "broken" in str(told.get("lines")))
    said = {line["text"]: line for line in log["lines"]}
    assert said["first"]["level"] == 6
    assert said["first"]["t"].endswith("Z")
    assert said["broken, password=***"]["level"] == 3
    assert (log["source"], log["levels"]) == ("journal", True)
    assert [line["text"] for line in api.log(unit, level=3)["lines"]] == ["broken, password=***"]
    server.run("kill", "-USR1", server.unit_state(unit)["MainPID"])
    since = eventually(lambda: api.log(unit, after=log["cursor"]), lambda told: bool(told["lines"]))
    assert [line["text"] for line in since["lines"]] == ["again"]
    assert api.log(unit, after=since["cursor"])["lines"] == []
    server.systemctl("stop", unit)


def test_a_rule_restarts_what_died_and_its_incident_closes(server: Host, hub: Hub, api: Api) -> None:
    remedying.restart_when_failed(hub, "srv-units", units.OK)
    before = server.unit_state(units.OK)["MainPID"]
    server.run("kill", "-KILL", before)
    closed = eventually(lambda: remedying.told(hub), lambda one: one["state"] == "closed" and one["capsule"], 60)
    after = server.unit_state(units.OK)
    assert (after["ActiveState"], after["MainPID"] != before) == ("active", True)
    assert closed["said"] == [f"Restart {units.OK}.", f"Restart {units.OK}: succeeded, verified."]
    assert closed["by"] == ["rule Sample down"]
    unit, log = closed["capsule"]["unit"], closed["capsule"]["log"]
    assert (unit["events"][0]["kind"], unit["events"][0]["facts"]["lastExit"]) == ("crashed", "SIGKILL")
    assert log["state"] == "answered"
    assert any("status=9/KILL" in line["text"] for line in log["lines"])


def test_a_killed_agent_comes_back_and_obeys(server: Host, api: Api) -> None:
    before = server.unit_state(SERVICE)["MainPID"]
    server.run("kill", "-9", before)
    eventually(lambda: server.unit_state(SERVICE), lambda s: s["MainPID"] not in ("0", before), 15)
    assert api.outcome(api.ask("restart", units.OK))["state"] == "succeeded"


def test_installing_again_keeps_the_identity_and_uninstalling_leaves_nothing(server: Host, hub: Hub, api: Api) -> None:
    token = server.read("/var/lib/pmonitor-agent/token.json")
    install_agent(server, hub.url, hub.enrolment_key, "restart:pm-ok.service")
    assert server.read("/var/lib/pmonitor-agent/token.json") == token
    eventually(lambda: api.service(units.SLOW_STOP).get("verbs"), lambda verbs: verbs == [], REPORTED_WITHIN)
    uninstall_agent(server, hub.url)
    for path in INSTALLED:
        assert server.run("test", "-e", path, check=False).returncode == 1, path
    assert server.unit_state(SERVICE)["LoadState"] == "not-found"
