"""What stopping a service would take along: the units that lean on it, and who is connected to it now.

Units by systemd's reverse dependencies. Connections by `ss --cgroup` (iproute2 5.8 and a unified cgroup tree), which
any user may ask, where reading other users' descriptors takes root.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agent.managers.base import LISTING_BYTES, ManagerError, run
from agent.managers.systemd import parse
from agent.reads import Answer, NoAnswer, Read
from agent.servicetable import ServiceTable

MOST_UNITS = 100
MOST_ROUNDS = 10
MOST_PEERS = 5
_ASK_SEC = 5.0
# Units that systemd stops when this one is stopped: Requires=, Requisite=, BindsTo=, PartOf= and PropagatesStopTo=.
_TAKEN_ALONG = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo")
_SHOWN = ",".join(("Id", "ActiveState", "ControlGroup", *_TAKEN_ALONG))
_RUNS = ("active", "reloading", "activating")
_TREES = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")  # the second where v1 is mounted, too
_BY_ID = "unreachable:"
_ADDRESS = re.compile(r"^\[?([^\]%]*?)(?:%[^\]:]*)?\]?:(\d+|\*)$")


class Socket(NamedTuple):
    """One line of ss: a socket's state, its port here, the address there, and its cgroup."""

    state: str
    port: int
    peer: str
    cgroup: str


class Impact:
    """Answers the reads of kind `impact`; `hub` is the address reports go to."""

    def __init__(self, table: ServiceTable, hub: str) -> None:
        self._table = table
        self._hub = urlsplit(hub)

    def answer(self, read: Read) -> Answer:
        """What PROTOCOL.md says of `impact`; what cannot be found out is left out."""
        manager = self._table.manager_of(read.target)
        if manager is None:
            raise NoAnswer(f"there is no service {read.target} on this server")
        if manager.name != "systemd":
            return {}  # neither knows what leans on what
        unit = _show([read.target])[0]
        along, more = taken_along(unit)
        return {"stops": along, "more": more, **self._connected(unit["ControlGroup"])}

    def _connected(self, cgroup: str) -> Answer:
        try:
            found = sockets()
        except ManagerError:
            return {}
        if cgroup and not any(one.cgroup.startswith("/") for one in found):
            return {}  # a kernel or an ss that does not tell
        ports = sorted({s.port for s in found if s.state == "LISTEN" and cgroup and _within(s.cgroup, cgroup)})
        peers = [s.peer for s in found if s.state == "ESTAB" and s.port in ports]
        counted = sorted(((peers.count(peer), peer) for peer in set(peers)), reverse=True)
        return {
            "ports": ports[:50],
            "clients": len(peers),
            "peers": [{"address": peer, "connections": times} for times, peer in counted[:MOST_PEERS]],
            "isHub": self._is_hub(ports),
        }

    def _is_hub(self, ports: list[int]) -> bool:
        """Whether the hub's address is this machine's and one of these ports."""
        port = self._hub.port or {"https": 443}.get(self._hub.scheme, 80)
        if port not in ports or not self._hub.hostname:
            return False
        try:
            found = socket.getaddrinfo(self._hub.hostname, port, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return any(_is_own(family, address) for family, _type, _proto, _name, address in found)


def taken_along(unit: dict[str, str]) -> tuple[list[dict[str, str]], bool]:
    """The running units that stop with this one, however many steps away; and whether there are more than told."""
    along: list[dict[str, str]] = []
    seen, wave = {unit["Id"]}, _leaning(unit)
    for _round in range(MOST_ROUNDS):
        wave = [name for name in dict.fromkeys(wave) if name not in seen]
        if not wave:
            return along, False
        seen.update(wave)
        running = [block for block in _show(wave[:MOST_UNITS]) if block.get("ActiveState") in _RUNS]
        along += [{"name": block["Id"], "activeState": block["ActiveState"]} for block in running]
        if len(along) > MOST_UNITS or len(wave) > MOST_UNITS:
            break
        wave = [name for block in running for name in _leaning(block)]
    return along[:MOST_UNITS], True


def sockets() -> list[Socket]:
    """TCP sockets that listen or are connected; raises ManagerError where ss is missing or fails."""
    program = shutil.which("ss", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if program is None:
        raise ManagerError("there is no ss on this server")
    done = run([program, "-H", "-t", "-n", "-a", "--cgroup"], _ASK_SEC, listing=LISTING_BYTES)
    if done.exit_code != 0:
        raise ManagerError(f"ss ended with {done.exit_code}")
    found = [one for line in done.output.splitlines() if (one := _socket(line))]
    if any(one.cgroup.startswith(_BY_ID) for one in found):
        paths = _cgroups()
        return [one._replace(cgroup=paths.get(one.cgroup, one.cgroup)) for one in found]
    return found


def _socket(line: str) -> Socket | None:
    words = line.split()
    if len(words) < 5:
        return None
    here, there = _ADDRESS.match(words[3]), _ADDRESS.match(words[4])
    if not here or not there or not here[2].isdigit():
        return None
    cgroup = next((word[len("cgroup:") :] for word in words[5:] if word.startswith("cgroup:")), "")
    return Socket(words[0], int(here[2]), there[1], cgroup)


def _cgroups() -> dict[str, str]:
    """Each group of the unified tree by its id, which is its folder's inode, as ss tells it to who may not see more."""
    root = next((tree for tree in _TREES if os.path.exists(f"{tree}/cgroup.controllers")), "")
    found = {}
    for folder, _below, _files in os.walk(root) if root else ():
        try:
            found[f"{_BY_ID}{os.stat(folder).st_ino:x}"] = folder[len(root) :] or "/"
        except FileNotFoundError:  # gone meanwhile
            continue
    return found


def _within(cgroup: str, parent: str) -> bool:
    return cgroup == parent or cgroup.startswith(parent + "/")


def _leaning(block: dict[str, str]) -> list[str]:
    return [name for key in _TAKEN_ALONG for name in block.get(key, "").split()]


def _show(units: list[str]) -> list[dict[str, str]]:
    argv = ["systemctl", "show", "--no-pager", f"--property={_SHOWN}", "--", *units]
    blocks = parse(run(argv, _ASK_SEC, listing=LISTING_BYTES).output)
    if not blocks:
        raise ManagerError(f"systemctl show {units[0]} told nothing")
    return [{"Id": "", "ActiveState": "", "ControlGroup": "", **block} for block in blocks]


def _is_own(family: int, address: Any) -> bool:
    """Whether an address is one of this machine's: only those can be bound."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address[0], 0, *address[2:]))
        except OSError:
            return False
    return True
