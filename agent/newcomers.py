"""Which processes may have begun since the last sample, without listing /proc, which costs as much as all the rest.

The kernel gives pids in rising order and tells the last one, so those that are new have the numbers behind the last
one of then. A number is given a moment before its process can be seen: the numbers of the time before are tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.kept import Kept
from agent.runs import clock_of

LIST_SEC = 55.0  # whatever is told, /proc is listed each minute: a pid may be asked for (CRIU), or shown later
MOST = 1000  # numbers that are tried; more of them cost as much as the list


class Newcomers:
    """Call `since_last` at each sample. told: what runs.clocks gives for the same root."""

    def __init__(self, root: str, told: Callable[[int], int]) -> None:
        self._file = Kept(f"{root}/loadavg")
        self._told = told
        self._forks: int | None = None
        self._last: int | None = None  # the last pid at the last sample in which anybody had begun
        self._before: int | None = None  # and at the one before that
        self._listed_at = -LIST_SEC

    def since_last(self, forks: int | None) -> list[int] | None:
        """The pids of those that are there and may not have been, by number; None: all have to be listed.

        forks: how many processes the kernel had started just before this call; None: it does not tell. Some sandboxes
        always tell the same number.
        """
        now = time.monotonic()
        due = now - self._listed_at >= LIST_SEC
        same, self._forks = forks is not None and forks == self._forks, forks
        if same and not due:
            return []
        first, self._before, self._last = self._before, self._last, self._last_pid()
        if due or first is None or self._last is None or not 0 <= self._last - first <= MOST:
            self._listed_at = now
            return None
        return [pid for pid in range(first + 1, self._last + 1) if self._is_there(pid)]

    def _last_pid(self) -> int | None:
        """The last one that was given, in the pid namespace of this process."""
        try:
            self._told(clock_of(1))  # where clocks are not told, nobody would be found
            return int(self._file.read().split()[4])
        except (OSError, ValueError, IndexError):
            return None

    def _is_there(self, pid: int) -> bool:
        try:
            self._told(clock_of(pid))
        except OSError:  # no such process: it has ended, or the number is a thread's
            return False
        return True
