"""Finding and removing what a lab left on this machine: after its end, or after its end was not orderly."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hosts import disk
from tests.hosts.cgroups import Cgroup, roots
from tests.hosts.layout import HUB_ADDRESS, LOCK_FILE, PREFIX, call


@contextmanager
def only_lab() -> Iterator[None]:
    """Hold the machine's one lab: waits for another one's end. The kernel gives it back if we die."""
    LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
    with LOCK_FILE.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for the other lab on this machine to end", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def leftovers() -> list[str]:
    """Everything on this machine that carries the lab's name."""
    parts = {
        "cgroup": _cgroups(),
        "mount": [str(path) for path in _mounts()],
        "nspawn machine": _machines(),
        "namespace": _namespaces(),
        "link": _links(),
        "route": _routes(),
        "nft table": _tables(),
    }
    return [f"{kind} {name}" for kind, names in parts.items() for name in names]


def sweep() -> None:
    """Remove every left-over; the caller holds the lock. Servers die first, for they hold the rest."""
    for name in _cgroups():
        Cgroup(name).remove()
    for path in _mounts():
        disk.unmount(path)
    for machine in _machines():
        disk.forget_machine(machine)
    for table in _tables():
        call("nft", "delete", "table", "inet", table)
    for link in _links():
        call("ip", "link", "delete", link)
    for address in _routes():
        call("ip", "route", "delete", "local", address, "dev", "lo", "table", "local")
    for namespace in _namespaces():
        call("ip", "netns", "delete", namespace)


def _cgroups() -> list[str]:
    return sorted({path.name for root in roots() for path in root.glob(f"{PREFIX}*/")})


def _mounts() -> list[Path]:
    """Mount points whose source we named: the servers' disks, wherever the checkout that made them lies."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    fields = [line.split(" ") for line in lines]
    return [Path(point.replace("\\040", " ")) for source, point, *_ in fields if source.startswith(PREFIX)]


def _machines() -> list[str]:
    return [path.name for path in disk.NSPAWN_MACHINES.glob(f"{PREFIX}*")]


def _namespaces() -> list[str]:
    return [line.split()[0] for line in call("ip", "netns", "list").splitlines() if line.startswith(PREFIX)]


def _links() -> list[str]:
    names = [path.name for path in Path("/sys/class/net").iterdir()]
    return [name for name in names if name.startswith(PREFIX)]


def _routes() -> list[str]:
    routes = call("ip", "route", "show", "table", "local", "dev", "lo").splitlines()
    return [HUB_ADDRESS for route in routes if route.split()[:2] == ["local", HUB_ADDRESS]]


def _tables() -> list[str]:
    names = [line.split()[-1] for line in call("nft", "list", "tables", "inet").splitlines()]
    return [name for name in names if name.startswith(PREFIX)]


def main() -> None:
    """Sweep now; or, as the janitor of a lab, once our standard input ends without the word that all is done."""
    if "--janitor" in sys.argv and sys.stdin.read() == "done":
        return
    with only_lab():
        sweep()


if __name__ == "__main__":
    main()
