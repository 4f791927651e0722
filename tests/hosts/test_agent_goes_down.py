"""Commands under which the agent, its net or its whole machine goes down: the result still arrives, and is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.hub import Hub
from tests.hosts.agent_install import SERVICE, install_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

REBOOT = "pm-reboot.service"
REBOOTS = "[Unit]\nDescription=Reboots the machine\n[Service]\nType=oneshot\nExecStart=/usr/bin/systemctl reboot\n"
HANGS = "pm-hangs.service"
HANGING = """[Unit]
Description=Takes its time to stop
[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sleep 3
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-down")
    host.install_unit(REBOOT, REBOOTS)
    host.install_unit(HANGS, HANGING)
    host.systemctl("enable", "--now", HANGS)
    allowed = f"start,stop,restart:pm-*.service *:{SERVICE}"
    install_agent(host, hub.url, hub.enrolment_key, allowed)
    yield host
    lab.discard(host)


@pytest.fixture(scope="module")
def api(hub: Hub, server: Host) -> Api:
    api = Api(hub, "srv-down")
    eventually(lambda: api.service(SERVICE), bool, REPORTED_WITHIN)
    return api


def agents(host: Host) -> list[str]:
    return host.run("pgrep", "-f", "pmonitor-agent.pyz").stdout.split()


def states(done: dict[str, object]) -> list[str]:
    moves = done["moves"]
    assert isinstance(moves, list)
    return [move["to"] for move in moves]


def test_the_agent_restarts_itself_and_proves_it(server: Host, api: Api) -> None:
    before = server.unit_state(SERVICE)["MainPID"]
    done = api.outcome(api.ask("restart", SERVICE))
    assert states(done) == ["queued", "delivered", "running", "succeeded"], done
    assert done["sentence"].startswith("Back and steady: active for 5 s.")
    assert str(done["evidence"]["before"]["mainPid"]) == before
    assert agents(server) == [str(done["evidence"]["after"]["mainPid"])] != [before]


def test_the_agent_is_not_told_to_stop_itself(server: Host, api: Api) -> None:
    assert api.service(SERVICE)["verbs"] == ["start", "restart"]
    assert api.post("stop", SERVICE).status_code == 409


def test_with_two_of_five_packets_lost_it_is_done_once(server: Host, api: Api) -> None:
    before = server.unit_state(HANGS)["MainPID"]
    server.loss(40)
    try:
        done = api.outcome(api.ask("restart", HANGS, 120), 150)
    finally:
        server.heal()
    assert (done["state"], done["verdict"]) == ("succeeded", "restarted"), done
    assert str(done["evidence"]["before"]["mainPid"]) == before
    assert server.unit_state(HANGS)["MainPID"] == str(done["evidence"]["after"]["mainPid"])


def test_a_machine_that_goes_down_under_its_commands_tells_what_came_of_them(server: Host, api: Api) -> None:
    restart = api.ask("restart", HANGS)
    eventually(lambda: api.get(f"commands/{restart}")["state"], lambda state: state == "running", 10)
    reboot = api.ask("start", REBOOT)
    server.wait_rebooted()
    rebooted, restarted = api.outcome(reboot), api.outcome(restart)
    assert len(agents(server)) == 1
    # Whether a unit that ends did its work before the reboot, nothing shows; that there was one, its boot does.
    assert (rebooted["state"], rebooted["verdict"]) == ("unknown", "booted_unseen"), rebooted
    assert (restarted["state"], restarted["verdict"]) == ("succeeded", "restarted"), restarted
    for done in (rebooted, restarted):
        assert done["evidence"]["outcome"] == "interrupted"
        assert done["evidence"]["before"]["boot"] != done["evidence"]["after"]["boot"]
