"""How many processes started since the last sample: those that ended meanwhile are in no process table."""

from __future__ import annotations

from typing import Any

from agent.logs import log


class Started:
    """At each report call `count`, and then `since_last`. The kernel counts a new thread as it counts a new process."""

    def __init__(self, stat: str = "/proc/stat") -> None:
        self._stat = stat
        self._forks: int | None = None
        self._failing = False

    def since_last(self, forks: int | None, new: int) -> dict[str, Any]:
        """The load's forks, None at first and where the kernel does not tell; newProcs: those in the table."""
        before, self._forks = self._forks, forks
        if before is None or self._forks is None or self._forks < before:
            return {"forks": None, "newProcs": None}
        return {"forks": self._forks - before, "newProcs": new}

    def count(self) -> int | None:
        """How many started since boot; None where the kernel does not tell."""
        try:
            with open(self._stat, "rb", buffering=0) as file:
                return int(file.read().partition(b"\nprocesses ")[2].split(None, 1)[0])
        except (OSError, ValueError, IndexError) as error:
            if not self._failing:
                log.warning("the kernel does not tell how many processes started", extra={"error": str(error)})
            self._failing = True
            return None
