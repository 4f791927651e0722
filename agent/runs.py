"""Which processes have not run since they were last read: their entries are as they were, and need no reading.

The kernel keeps a clock of each process's CPU time, all its threads', and tells it in a tenth of the time that stat
takes, without a file. What stat tells of a process changes while one of its threads runs, but for two things: its
parent, when that ends, and its memory, when the kernel takes some from it or gives it some. That others change its
memory (they write to it, or cut a file short that both have mapped), or hold it asleep by the freezer of cgroup v1, is
told nowhere, and seen when it is read anyway.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from agent.kept import Kept

# Of /proc/vmstat: pages taken from processes and caches, moved to swap and back, and given by khugepaged.
_TAKEN = (b"pgsteal_", b"pswpin ", b"pswpout ", b"thp_collapse_alloc ")


def clock_of(pid: int) -> int:
    """The id of a process's CPU-time clock, as clock_getcpuclockid(3) makes it (Linux, posix-timers.h)."""
    return ~pid << 3 | 2  # CPUCLOCK_SCHED: what the scheduler has counted, in nanoseconds


def clocks(root: str) -> Callable[[int], int]:
    """What tells a clock's nanoseconds, and raises OSError where they are not told or the process is gone.

    root: where the processes are listed. The kernel means those of this process's own pid namespace.
    """
    try:
        with open(f"{root}/self/status", "rb") as file:
            here = b"\nNSpid:\t%d\n" % os.getpid() in file.read()  # the one number that it has there
        before, told, after = (
            time.process_time_ns(),
            time.clock_gettime_ns(clock_of(os.getpid())),
            time.process_time_ns(),
        )
    except OSError:
        return _untold
    return time.clock_gettime_ns if here and before <= told <= after else _untold


def _untold(clock: int) -> int:
    raise OSError(f"clock {clock} is not told here")


class Memory:
    """Whether the kernel took memory from anyone, or gave some, since the last look."""

    def __init__(self, path: str) -> None:
        self._file = Kept(path)
        self._taken: list[bytes] | None = None

    def was_taken(self) -> bool:
        """Say so once; at first, and where it is not told, it may have been."""
        before, self._taken = self._taken, self._counts()
        return before is None or before != self._taken

    def _counts(self) -> list[bytes] | None:
        try:
            lines = self._file.read().split(b"\n")
        except OSError:
            return None
        return [line for line in lines if line.startswith(_TAKEN)]
