"""The agent on a real server finds what leans on a service, and who is connected to it, as root and as nobody."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.hosts.layout import CHECKOUT

LEANING = {
    "pm-app.service": "[Unit]\nRequires=nginx.service\nAfter=nginx.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "pm-side.service": "[Unit]\nPartOf=pm-app.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "pm-wants.service": "[Unit]\nWants=nginx.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    "pm-idle.service": "[Unit]\nRequires=nginx.service\n[Service]\nExecStart=/bin/sleep infinity\n",
}
LOOK = """
import json, sys
sys.path.insert(0, "/opt/looking")
from agent import managers
from agent.allow import Allow
from agent.impact import Impact
from agent.reads import Read
from agent.servicetable import ServiceTable
table = ServiceTable(managers.known(), Allow())
table.refresh(lambda pid: None)
read = Read("1", "impact", sys.argv[1], {"cmd": "stop"}, 5.0)
print(json.dumps(Impact(table, sys.argv[2]).answer(read)))
"""


NOBODY = ("setpriv", "--reuid=65534", "--clear-groups")
UNIT = (CHECKOUT / "agent" / "pmonitor-agent.service").read_text()
HARDENED = re.findall(
    r"^(?:CapabilityBoundingSet|Protect|Private|Restrict|SystemCall|NoNew|Memory).*", UNIT, re.MULTILINE
)
IN_THE_UNIT = ("systemd-run", "--quiet", "--pipe", "--wait", "--uid=65534", *(f"-p{line}" for line in HARDENED))


@pytest.fixture(scope="module")
def server(host: Host) -> Host:
    host.copy_tree(CHECKOUT / "agent", "/opt/looking/agent")
    for name, text in LEANING.items():
        host.write(f"/etc/systemd/system/{name}", text)
    host.systemctl("daemon-reload")
    host.systemctl("start", "nginx", "pm-app", "pm-side", "pm-wants")
    return host


def look(server: Host, unit: str, hub: str = "http://10.231.0.1:8000", *before: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.run(*before, "python3", "-c", LOOK, unit, hub).stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("before", [(), NOBODY, IN_THE_UNIT], ids=["root", "nobody", "the agent's unit"])
def test_what_leans_on_it_and_who_is_connected(server: Host, before: tuple[str, ...]) -> None:
    with socket.create_connection((server.address, 80), 5):
        found = look(server, "nginx.service", "http://10.231.0.1:8000", *before)
    assert {one["name"] for one in found["stops"]} == {"pm-app.service", "pm-side.service"}, (
        "running ones, transitively"
    )
    assert not found["more"]
    assert found["ports"] == [80]
    assert found["clients"] >= 1
    assert found["peers"][0]["address"] == "10.231.0.1"
    assert not found["isHub"]


def test_the_hubs_own_port_is_recognised(server: Host) -> None:
    assert look(server, "nginx.service", "http://127.0.0.1")["isHub"]
    assert not look(server, "nginx.service", "http://10.231.0.1")["isHub"], "another machine's"
    assert not look(server, "pm-app.service", "http://127.0.0.1")["isHub"]


def test_what_nothing_leans_on(server: Host) -> None:
    found = look(server, "pm-wants.service")
    assert (found["stops"], found["ports"], found["clients"]) == ([], [], 0)
