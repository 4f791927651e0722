"""A borrowed stop on a real server: whatever is gone by then, the service is active again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.hub import Hub
from tests.hosts import units
from tests.hosts.agent_install import SERVICE, install_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

LENT_SEC = 60  # the least the hub takes; tests bring the end nearer by a lease's own file
BOOK = "/var/lib/pmonitor-agent/leases.json"
NEARER = """
import json, sys
leases = json.load(open(sys.argv[1]))
for lease in leases:
    if lease["state"] == "held":
        lease["bootUntil"] -= float(sys.argv[2]); lease["wallUntil"] -= float(sys.argv[2])
json.dump(leases, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def hub(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("leases") / "data", "--no-agent", host=lab.hub_address) as running:
        yield running


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-leases")
    units.install_units(host)
    install_agent(host, hub.url, hub.enrolment_key, "start,stop:pm-*.service")
    yield host
    lab.discard(host)


@pytest.fixture
def api(hub: Hub, server: Host) -> Iterator[Api]:
    """With pm-ok running, and the cable in its place afterwards."""
    server.systemctl("start", units.OK)
    api = Api(hub, "srv-leases")
    eventually(lambda: api.service(units.OK), bool, REPORTED_WITHIN)
    yield api
    server.heal()


def lent(server: Host, api: Api) -> str:
    """pm-ok is stopped for a time; the command that did it."""
    body = {"cmd": "stop", "target": units.OK, "args": {"forSec": LENT_SEC}, "deliverWithinSec": 300}

    def ask() -> Any:
        return api.session.post(f"{api.hub.url}/api/actions/{api.agent_id}", json=body, timeout=60)

    answer = eventually(ask, lambda a: a.status_code == 201, REPORTED_WITHIN)
    done = api.outcome(answer.json()["id"])
    assert (done["state"], done["lease"]["state"]) == ("succeeded", "held"), done
    assert server.unit_state(units.OK)["ActiveState"] == "inactive"
    return str(answer.json()["id"])


def kill_agent(server: Host) -> None:
    server.run("kill", "-9", server.unit_state(SERVICE)["MainPID"])


def bring_near(server: Host, left: float) -> None:
    """As if all but so many seconds had passed; the agent, killed, reads it at its next start."""
    server.run("python3", "-c", NEARER, BOOK, str(LENT_SEC - left))


def ended(api: Api, command: str) -> dict[str, Any]:
    found = eventually(lambda: api.get(f"commands/{command}"), lambda c: c["lease"]["endedAt"], 60)
    lease: dict[str, Any] = found["lease"]
    return lease


def test_cut_off_and_killed_the_agent_starts_it_again_and_tells(server: Host, api: Api) -> None:
    command = lent(server, api)
    server.cut()
    bring_near(server, 12)
    kill_agent(server)
    server.wait_unit(units.OK, within=40, ActiveState="active")
    server.heal()
    lease = ended(api, command)
    assert (lease["state"], lease["verdict"]) == ("started", "started"), lease
    assert lease["evidence"]["before"]["activeState"] == "inactive"
    assert str(lease["evidence"]["after"]["mainPid"]) == server.unit_state(units.OK)["MainPID"]


def test_rebooted_without_a_network_it_is_started_again(server: Host, api: Api) -> None:
    command = lent(server, api)
    bring_near(server, 20)
    server.cut()
    server.power_cut()
    server.boot()
    assert server.unit_state(units.OK)["ActiveState"] == "inactive", "it is not enabled: it did not come up by itself"
    server.wait_unit(units.OK, within=40, ActiveState="active")
    server.heal()
    assert ended(api, command)["state"] == "started"


def test_what_came_up_with_the_boot_ends_quietly(server: Host, api: Api) -> None:
    server.systemctl("enable", units.OK)
    command = lent(server, api)
    server.reboot()
    assert ended(api, command)["state"] == "booted"
    server.systemctl("disable", units.OK)


def test_what_somebody_started_by_hand_ends_it(server: Host, api: Api) -> None:
    command = lent(server, api)
    server.systemctl("start", units.OK)
    assert ended(api, command)["state"] == "others"


# The last one: after it there is no hub.
def test_the_hub_gone_for_good_changes_nothing(server: Host, api: Api, hub: Hub) -> None:
    lent(server, api)
    bring_near(server, 10)
    assert hub.process
    hub.process.send_signal(signal.SIGINT)
    hub.process.wait(180)
    kill_agent(server)
    server.wait_unit(units.OK, within=40, ActiveState="active")
