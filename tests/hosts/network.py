"""The lab's switch and cables: a bridge in a namespace of its own, a namespace and a veth pair for each server.

In the root namespace is only the hub's cable, and it has no address: Chromium drops its connections whenever one comes
or goes there (ERR_NETWORK_CHANGED), and the browser tests run beside this. Routes alone make the hub's address ours.
"""

from contextlib import suppress
from pathlib import Path

from tests.hosts.layout import BRIDGE, HUB_ADDRESS, HUB_CABLE, NETWORK, PREFIX, SWITCH, LabError, call, server_address

IN_SWITCH = ("ip", "-n", SWITCH)


def make_switch() -> None:
    """The lab's switch, and the hub's cable to it with the hub's address."""
    call("ip", "netns", "add", SWITCH)
    call(*IN_SWITCH, "link", "add", BRIDGE, "type", "bridge")
    call(*IN_SWITCH, "link", "set", BRIDGE, "up")
    call("ip", "link", "add", HUB_CABLE, "type", "veth", "peer", "name", HUB_CABLE, "netns", SWITCH)
    call(*IN_SWITCH, "link", "set", HUB_CABLE, "master", BRIDGE, "up")
    with suppress(FileNotFoundError):  # a machine without IPv6
        Path(f"/proc/sys/net/ipv6/conf/{HUB_CABLE}/disable_ipv6").write_text("1")
    call("ip", "link", "set", HUB_CABLE, "up")
    call("ip", "route", "add", "local", HUB_ADDRESS, "dev", "lo", "table", "local")
    call("ip", "route", "add", NETWORK, "dev", HUB_CABLE, "src", HUB_ADDRESS)


class Cable:
    """What connects one server to the hub, and can be cut or made to lose packets."""

    def __init__(self, index: int) -> None:
        self.address = server_address(index)
        self.namespace = f"{PREFIX}{index}"
        self.device = f"{PREFIX}v{index}"
        self.table = f"{PREFIX}{index}"

    def plug(self) -> None:
        call("ip", "netns", "add", self.namespace)
        call(*IN_SWITCH, "link", "add", self.device, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        call(*IN_SWITCH, "link", "set", self.device, "master", BRIDGE, "up")
        inside = ("ip", "-n", self.namespace)
        call(*inside, "address", "add", f"{self.address}/24", "dev", "eth0")
        call(*inside, "link", "set", "eth0", "up")
        call(*inside, "link", "set", "lo", "up")

    def unplug(self) -> None:
        """Take the cable and its namespace away for good."""
        self.loss(0)
        call(*IN_SWITCH, "link", "delete", self.device)
        call("ip", "netns", "delete", self.namespace)

    def cut(self) -> None:
        call(*IN_SWITCH, "link", "set", self.device, "down")

    def heal(self) -> None:
        """Mend the cable: up again, and no loss."""
        call(*IN_SWITCH, "link", "set", self.device, "up")
        self.loss(0)

    def loss(self, percent: int) -> None:
        """Lose this share of the packets (0 to 100), each way, at the receiving end: no sender gets an error."""
        if not 0 <= percent <= 100:
            raise LabError(f"loss of {percent} %: give 0 to 100")
        self._filter((), f"ip saddr {self.address}", percent)
        self._filter(("ip", "netns", "exec", self.namespace), 'iifname "eth0"', percent)

    def _filter(self, where: tuple[str, ...], packets: str, percent: int) -> None:
        chance = f"numgen random mod 100 < {percent}" if percent < 100 else ""
        drop = f"{packets} {chance} drop"
        chain = f"chain input {{ type filter hook input priority -10; {drop}; }}"
        # Declaring before deleting makes the deletion work whether the table was there or not.
        script = f"table inet {self.table}\ndelete table inet {self.table}\n"
        script += f"table inet {self.table} {{\n{chain}\n}}\n" if percent else ""
        call(*where, "nft", "-f", "-", stdin=script)
