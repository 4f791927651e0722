"""Which processes may have begun since the last sample, without listing /proc, which costs as much as all the rest.

The kernel gives pids in rising order and tells the last one, so those that are new have the numbers behind the last
one of then. A number is given a moment before its process can be seen: the numbers of the time before are tried again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from agent.kept import Kept
from agent.runs import clock_of

LIST_SEC = 55.0  # whatever is told, /proc is listed each minute: a pid may be asked for (CRIU), or shown later
MOST = 1000  # numbers that are tried; more of them cost as much as the list


class _Count(NamedTuple):
    forks: int  # processes and threads that the kernel has started
    last: int | None  # the number it gave last; None: it does not tell


class Newcomers:
    """Call `since_last` at each sample. told: what runs.clocks gives for the same root."""

    def __init__(self, root: str, told: Callable[[int], int]) -> None:
        # Not loadavg, which tells the same: a container's may be its host's (lxcfs).
        self._file = Kept(f"{root}/sys/kernel/ns_last_pid")
        self._told = told
        self._now: _Count | None = None  # as of the last sample in which anybody had begun
        self._then: _Count | None = None  # and the one before that
        self._listed_at = -LIST_SEC

    def since_last(self, forks: int | None) -> list[int] | None:
        """The pids of those that are there and may not have been, by number; None: all have to be listed.

        forks: how many processes the kernel had started just before this call; None: it does not tell. Some sandboxes
        always tell the same number.
        """
        now = time.monotonic()
        due = now - self._listed_at >= LIST_SEC
        if not due and forks is not None and self._now is not None and forks == self._now.forks:
            return []
        then, self._then, self._now = self._then, self._now, self._count(forks)
        numbers = None if due or then is None or self._now is None else _between(then, self._now)
        if numbers is None:
            self._listed_at = now
            return None
        return [pid for pid in numbers if self._is_there(pid)]

    def _count(self, forks: int | None) -> _Count | None:
        if forks is None:
            return None
        try:
            self._told(clock_of(1))  # where clocks are not told, nobody would be found
            return _Count(forks, int(self._file.read()))
        except (OSError, ValueError):
            return _Count(forks, None)

    def _is_there(self, pid: int) -> bool:
        if pid == threading.get_native_id() != os.getpid():
            return False  # of this very thread the kernel tells a clock as if it were a process
        try:
            self._told(clock_of(pid))
        except OSError:  # no such process: it has ended, or the number is a thread's
            return False
        return True


def _between(then: _Count, now: _Count) -> range | None:
    """The numbers that were given; None where that is not known, or they are many. They may have gone round once."""
    if then.last is None or now.last is None or not 0 <= now.forks - then.forks <= MOST:
        return None
    return range(then.last + 1, now.last + 1) if 0 <= now.last - then.last <= MOST else None
