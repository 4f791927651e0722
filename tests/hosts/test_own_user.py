"""The agent as a user of its own: it may do what its owner allows, and nothing else.

Two Debians grant that by polkit's rules; a third server has no polkit, so sudo grants it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.hub import Hub
from tests.hosts import units
from tests.hosts.agent_install import SERVICE, install_agent, uninstall_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

USER = "pmonitor-agent"
STATE, SETTINGS = "/var/lib/pmonitor-agent", "/etc/pmonitor/agent.env"
RULE, SUDOERS = "/etc/polkit-1/rules.d/50-pmonitor-agent.rules", "/etc/sudoers.d/pmonitor-agent"
DROP_IN = f"/etc/systemd/system/{SERVICE}.d"
INSTALLED = ("/etc/pmonitor", "/usr/lib/pmonitor", STATE, f"/etc/systemd/system/{SERVICE}", DROP_IN, RULE, SUDOERS)
INSTANCE = "pm-each@a:1.service"
ALLOWED, OTHER = f"start,restart:{units.OK}", "cron.service"
MOST_EXPOSED = {"polkit": 2.5, "sudo": 6.6}  # of systemd-analyze's ten
CAP_KILL, CAP_SYS_NICE = 1 << 5, 1 << 23


class Machine:
    """A server with the agent on it."""

    def __init__(self, host: Host, way: str, hub: Hub) -> None:
        self.host, self.hub, self.way, self.api = host, hub, way, Api(hub, host.name)

    def told(self, verb: str, *units: str) -> str:
        """What systemd, or sudo, says to the agent's user who tries it without the agent; empty when it is done."""
        sudo = ("sudo", "-n") if self.way == "sudo" else ()
        line = (*sudo, "systemctl", verb, "--no-ask-password", "--", *units)
        done = self.host.run("runuser", "-u", USER, "--", *line, check=False)
        return done.stderr.strip() or str(done.returncode) if done.returncode else ""

    def allow(self, entries: str) -> None:
        """The owner edits the settings and restarts the agent."""
        self.host.run("sed", "-i", f"s|^ALLOW=.*|ALLOW={entries}|", SETTINGS)
        self.host.systemctl("restart", SERVICE)
        self.host.wait_unit(SERVICE, ActiveState="active", SubState="running")

    def process(self) -> dict[str, str]:
        """The agent's /proc/PID/status."""
        lines = self.host.read(f"/proc/{self.host.unit_state(SERVICE)['MainPID']}/status").splitlines()
        return dict(re.split(r":\s*", line, maxsplit=1) for line in lines)

    def exposure(self) -> float:
        """What `systemd-analyze security` makes of the unit: 0 to 10, less is better."""
        said = self.host.run("systemd-analyze", "security", "--no-pager", SERVICE).stdout
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
        assert found, said
        return float(found[1])

    def ask_regardless(self, cmd: str, unit: str) -> str:
        """Ask as a hub that was taken over; the command's id, or nothing when a report came in between."""
        self.api.pretend_verbs(unit, [cmd])
        return str(self.api.post(cmd, unit).json().get("id", ""))

    def verbs(self, unit: str) -> list[str]:
        """What the hub knows the owner to allow on the unit."""
        found: list[str] = self.api.service(unit).get("verbs", [])
        return found


@pytest.fixture(
    scope="module", params=[("bookworm", "polkit"), ("trixie", "polkit"), ("bookworm", "sudo")], ids="-".join
)
def machine(lab: Lab, hub: Hub, request: pytest.FixtureRequest) -> Iterator[Machine]:
    release, way = request.param
    (host,) = lab.boot(f"srv-{release}-{way}", release=release)
    if way == "sudo":
        host.run("dpkg", "--purge", "--force-depends", "polkitd")
    units.install_units(host)
    host.install_unit("pm-each@.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host.systemctl("start", units.OK)
    install_agent(host, hub.url, hub.enrolment_key, ALLOWED)
    machine = Machine(host, way, hub)
    eventually(lambda: machine.verbs(units.OK), bool, REPORTED_WITHIN)
    yield machine
    lab.discard(host)


def test_it_runs_as_a_user_without_any_power_of_its_own(machine: Machine) -> None:
    status = machine.process()
    assert machine.host.run("id", "-nu", status["Uid"].split()[0]).stdout.strip() == USER
    assert int(status["CapEff"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == ("0" if machine.way == "sudo" else "1")
    assert machine.exposure() <= MOST_EXPOSED[machine.way]


def test_what_the_owner_allows_is_done_and_proved(machine: Machine) -> None:
    done = machine.api.outcome(machine.api.ask("restart", units.OK))
    assert done["state"] == "succeeded", done
    assert done["evidence"]["command"].startswith("sudo -n /" if machine.way == "sudo" else "systemctl ")
    assert any("Started" in line for line in done["evidence"]["log"]), "it reads the journal"


def test_what_the_owner_does_not_allow_is_refused_by_hub_agent_and_system(machine: Machine) -> None:
    assert "owner does not allow stop" in machine.api.post("stop", units.OK).json()["error"]
    asked = eventually(lambda: machine.ask_regardless("stop", units.OK), bool)
    refused = machine.api.outcome(asked)
    assert (refused["state"], "does not allow the hub to stop" in refused["evidence"]["reason"]) == ("refused", True)
    before = machine.host.unit_state(units.OK)["MainPID"]
    assert machine.told("restart", units.OK) == ""
    assert machine.host.unit_state(units.OK)["MainPID"] != before
    pids = [machine.host.unit_state(unit)["MainPID"] for unit in (units.OK, OTHER)]
    forbidden = [("stop", units.OK), ("restart", OTHER), ("restart", units.OK, OTHER)]
    for verb, *told in [*forbidden, ("kill", units.OK), ("start", "rescue.target")]:
        assert machine.told(verb, *told), (verb, told)
    assert machine.host.unit_state(OTHER)["MainPID"] == pids[1]
    assert machine.host.unit_state(units.OK)["ActiveState"] == "active"


def test_the_rule_follows_what_the_owner_writes(machine: Machine) -> None:
    machine.allow(f"restart:{OTHER} signal:sleep renice:sleep")
    assert int(machine.process()["CapEff"], 16) == CAP_KILL | CAP_SYS_NICE
    assert machine.exposure() <= MOST_EXPOSED[machine.way]
    eventually(lambda: machine.verbs(OTHER), lambda verbs: verbs == ["restart"], REPORTED_WITHIN)
    assert machine.verbs(units.OK) == []
    eventually(lambda: machine.told("restart", OTHER), lambda said: said == "")
    assert machine.told("restart", units.OK)
    machine.allow("")
    assert int(machine.process()["CapEff"], 16) == 0
    eventually(lambda: machine.told("restart", OTHER), bool)
    for path in (RULE, SUDOERS, DROP_IN):
        assert machine.host.run("ls", "-A", path, check=False).stdout == "", path
    machine.allow(ALLOWED)


def test_installing_over_an_agent_that_ran_as_root_keeps_its_identity(machine: Machine) -> None:
    token = machine.host.read(f"{STATE}/token.json")
    machine.host.systemctl("stop", SERVICE)
    machine.host.run("chown", "-R", "root:root", STATE)
    machine.host.run("userdel", USER)
    install_agent(machine.host, machine.hub.url, machine.hub.enrolment_key, ALLOWED)
    assert machine.host.read(f"{STATE}/token.json") == token
    owners = machine.host.run("find", STATE, "-not", "-user", USER).stdout
    assert owners == ""
    eventually(lambda: machine.told("restart", units.OK), lambda said: said == "")


def test_patterns_are_for_polkit_and_sudo_takes_names(machine: Machine) -> None:
    if machine.way == "sudo":
        check = "ALLOW='start:pm-*.service' python3 /usr/lib/pmonitor/pmonitor-agent.pyz --check"
        checked = machine.host.run("sh", "-c", check, check=False)
        assert (checked.returncode, "'start:pm-*.service' does not name one unit" in checked.stderr) == (2, True)
        for _again in range(2):
            machine.host.run("sed", "-i", "s|^ALLOW=.*|ALLOW=start:pm-*.service|", SETTINGS)
            machine.host.systemctl("restart", SERVICE)
            machine.host.wait_unit(SERVICE, ActiveState="failed", ExecMainStatus="2")
        machine.allow(f"start:{INSTANCE}")
        assert machine.told("start", INSTANCE) == ""
    else:
        machine.allow("start,stop:pm-[a-o]?.service")
        eventually(lambda: machine.told("stop", units.OK), lambda said: said == "")
        assert machine.told("start", units.OK) == ""
        assert machine.told("start", units.ONESHOT)


def test_uninstalling_leaves_nothing(machine: Machine) -> None:
    uid = machine.host.run("id", "-u", USER).stdout.strip()
    uninstall_agent(machine.host, machine.hub.url)
    for path in INSTALLED:
        assert machine.host.run("test", "-e", path, check=False).returncode == 1, path
    assert machine.host.run("id", USER, check=False).returncode == 1
    assert machine.host.run("find", "/", "-xdev", "-uid", uid).stdout == ""
    assert machine.host.unit_state(SERVICE)["LoadState"] == "not-found"
