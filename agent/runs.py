"""Which processes have not run since they were last read: their entries are as they were, and need no reading.

/proc/<pid>/schedstat says how long the main thread has been on a CPU, and how often; the kernel tells it in a third of
the time that stat takes. What stat tells of a process with one thread changes while it runs, but for two things: its
parent, when that ends, and its memory, when the kernel takes some from it or gives it back. That others change its
memory (they write to it, or cut a file short that both have mapped) is told nowhere, and seen when it is read anyway.
"""

from __future__ import annotations

import os

_BYTES = 80
_MOST_BYTES = 32_768  # of vmstat, which has 4 KB
_UNCOUNTED = b"0 0 0\n"
# Of /proc/vmstat: pages taken from processes and caches, and moved to swap and back.
_TAKEN = (b"pgsteal_", b"pswpin ", b"pswpout ")


class Runs:
    """What a process's schedstat says, on a descriptor that is kept open."""

    __slots__ = ("_fd",)

    def __init__(self, folder: str) -> None:
        try:
            self._fd = os.open(f"{folder}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    def so_far(self) -> bytes:
        """Other than before if it has run since; empty where that is not known, or it is gone."""
        if self._fd < 0:
            return b""
        try:
            told = os.pread(self._fd, _BYTES, 0)
        except OSError:
            return b""
        return b"" if told == _UNCOUNTED else told

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)


class Memory:
    """Whether the kernel took memory from anyone since the last look."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._taken: list[bytes] | None = None

    def was_taken(self) -> bool:
        """Say so once; at first, and where it is not told, it may have been."""
        before, self._taken = self._taken, self._counts()
        return before is None or before != self._taken

    def _counts(self) -> list[bytes] | None:
        try:
            with open(self._path, "rb", buffering=0) as file:
                lines = file.read(_MOST_BYTES).split(b"\n")
        except OSError:
            return None
        return [line for line in lines if line.startswith(_TAKEN)]
