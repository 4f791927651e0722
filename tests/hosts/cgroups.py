"""A control group of its own for each server: it freezes and kills a whole server at once."""

import time
from pathlib import Path

from tests.hosts.layout import LabError

TOP = Path("/sys/fs/cgroup")


def unified_root() -> Path | None:
    """Where cgroup v2 is mounted: alone, or beside v1 on a hybrid machine; None where there is none."""
    return next((root for root in (TOP, TOP / "unified") if (root / "cgroup.controllers").exists()), None)


def roots() -> list[Path]:
    """The hierarchies nspawn wants a group in: v2 first, and systemd's v1 one where the machine has it."""
    unified = unified_root()
    if unified is None:
        raise LabError(f"no cgroup v2 under {TOP}")
    return [unified, *(root for root in (TOP / "systemd",) if (root / "cgroup.procs").exists())]


class Cgroup:
    """The groups of one server, the same name in each hierarchy."""

    def __init__(self, name: str) -> None:
        self.folders = [root / name for root in roots()]
        self.unified = self.folders[0]

    def create(self) -> None:
        for folder in self.folders:
            folder.mkdir(exist_ok=True)

    def entering(self, argv: list[str]) -> list[str]:
        """The command line that runs `argv` as a member of this group."""
        join = "".join(f"echo $$ >{folder}/cgroup.procs && " for folder in self.folders)
        return ["sh", "-c", f'{join}exec "$@"', "sh", *argv]

    def pids(self) -> list[int]:
        """Every process of the server, nspawn itself included."""
        files = self.unified.rglob("cgroup.procs")
        return [int(pid) for file in files for pid in file.read_text().split()]

    def freeze(self, frozen: bool) -> None:
        """Stop or resume every process of the server; returns once the kernel says it is so."""
        (self.unified / "cgroup.freeze").write_text(str(int(frozen)))
        self._wait_for(f"frozen {int(frozen)}")

    def kill(self) -> None:
        """SIGKILL to every process of the server at once; returns once they are gone."""
        (self.unified / "cgroup.kill").write_text("1")
        self._wait_for("populated 0")

    def remove(self) -> None:
        """Kill what is inside and delete the groups."""
        if self.unified.exists():
            self.kill()
        for folder in self.folders:
            for inner in sorted(folder.glob("**/"), reverse=True):
                inner.rmdir()

    def _wait_for(self, event: str) -> None:
        deadline = time.monotonic() + 10
        while event not in (self.unified / "cgroup.events").read_text():
            if time.monotonic() > deadline:
                raise LabError(f"{self.unified.name}: not '{event}' within 10 s")
            time.sleep(0.005)
