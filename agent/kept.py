"""A file that the kernel writes anew for each reader, on a descriptor that is kept open: a third of the calls."""

from __future__ import annotations

import os

_CHUNK_BYTES = 65_536


class Kept:
    """Reads one file of /proc as it is now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def read(self) -> bytes:
        """All of it; raises OSError when it cannot be read, and opens it anew the next time."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        whole = b""
        try:
            # Where it is a list, the kernel gives some 4 KB of it at a time.
            while part := os.pread(self._fd, _CHUNK_BYTES, len(whole)):
                whole += part
        except OSError:
            self._close()
            raise
        return whole

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    __del__ = _close
