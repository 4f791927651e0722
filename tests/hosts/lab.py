"""The lab: one switch, the hub's address on it, and as many real servers as a test asks for."""

import os
import platform
import shutil
import subprocess
import sys
from contextlib import ExitStack
from types import TracebackType

import pytest

from tests.hosts import network, rootfs
from tests.hosts.cgroups import unified_root
from tests.hosts.host import Host
from tests.hosts.layout import CHECKOUT, FOLDER, HUB_ADDRESS, MOST_SERVERS, LabError
from tests.hosts.sweep import only_lab, sweep

TOOLS = ("systemd-nspawn", "mmdebstrap", "ip", "nft", "nsenter")


def missing() -> str:
    """Why the lab cannot run on this machine, in one line; empty when it can."""
    if platform.system() != "Linux":
        return "the lab needs Linux"
    if os.geteuid() != 0:
        return "the lab needs root: it makes namespaces, mounts and control groups"
    if absent := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"the lab needs {', '.join(absent)} (systemd-container mmdebstrap iproute2 nftables util-linux)"
    if unified_root() is None:
        return "the lab needs cgroup v2, alone or beside v1"
    return ""


def lab_or_skip() -> None:
    """Skip the test where the lab cannot run; under CI fail instead, so that nothing is left out unseen."""
    if reason := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


class Lab:
    """The machine's one lab: entering it waits for another's end, leaving it leaves nothing behind."""

    hub_address = HUB_ADDRESS

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self._made = 0
        self._ending = ExitStack()

    def __enter__(self) -> "Lab":
        if reason := missing():
            raise LabError(reason)
        with ExitStack() as undo:
            undo.enter_context(only_lab())
            sweep()
            shutil.rmtree(FOLDER / "hosts", ignore_errors=True)
            rootfs.cached(FOLDER)  # building it is no part of a test
            self._janitor = _start_janitor()
            undo.callback(self._dismiss_janitor)
            undo.callback(sweep)
            network.make_switch()
            self._ending = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._ending:
            for host in list(self.hosts):
                self.discard(host)

    def host(self, name: str = "", release: str = "") -> Host:
        """One more server, installed and switched off; named srv1, srv2… unless you name it.

        `release` is a Debian codename; this machine's own when left out.
        """
        if self._made == MOST_SERVERS:
            raise LabError(f"the lab's network has room for {MOST_SERVERS} servers")
        image = rootfs.cached(FOLDER, release)
        self._made += 1
        host = Host(self._made, name or f"srv{self._made}", FOLDER / "hosts" / str(self._made), image)
        host.install()
        self.hosts.append(host)
        return host

    def boot(self, *names: str, release: str = "") -> list[Host]:
        """Servers of these names and this release, booted side by side."""
        hosts = [self.host(name, release) for name in names]
        for host in hosts:
            host.switch_on()
        for host in hosts:
            host.wait_booted()
        return hosts

    def discard(self, host: Host) -> None:
        """Take one server away, disk and all."""
        self.hosts.remove(host)
        host.discard()

    def _dismiss_janitor(self) -> None:
        self._janitor.communicate("done")


def _start_janitor() -> "subprocess.Popen[str]":
    """A process that outlives us and sweeps if we are killed: its standard input ends when we do."""
    argv = [sys.executable, "-m", "tests.hosts.sweep", "--janitor"]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True)
