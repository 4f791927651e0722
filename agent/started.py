"""How many processes started since the last sample: those that ended meanwhile are in no process table."""

from __future__ import annotations

from typing import Any

from agent.logs import log


class Started:
    """Call `since_last` at each report. The kernel counts a new thread as it counts a new process."""

    def __init__(self) -> None:
        self._forks: int | None = None
        self._failing = False

    def since_last(self, forks: int | None, new: int) -> dict[str, Any]:
        """The load's forks, None at first and where the kernel does not tell; newProcs: those in the table.

        forks: how many the kernel has started since boot.
        """
        if forks is None and not self._failing:
            log.warning("the kernel does not tell how many processes started")
        self._failing = forks is None
        before, self._forks = self._forks, forks
        if before is None or forks is None or forks < before:
            return {"forks": None, "newProcs": None}
        return {"forks": forks - before, "newProcs": new}
