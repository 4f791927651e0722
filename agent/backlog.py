"""Reports that wait for the hub, on disk: bounded, the oldest dropped first. They outlive the agent, and a reboot.

One file a report. It has its name only once it is whole and on disk (fsync), and is deleted when the hub has taken it:
what is in the folder is what the hub may not have. While the disk takes nothing, the newest ones wait in memory.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from pathlib import Path

from agent.logs import log
from agent.register import write_durably
from agent.stamp import Stamp, age

MOST_BYTES = 64 << 20
MOST_SEC = 86_400.0
IN_MEMORY = 30  # reports
PACKING = 6  # so that a day of reports of 500 processes each, some 7 KB, has room
_SUFFIX = ".report"


class Torn(Exception):
    """The record is not whole: written by a machine that went down, or changed since."""


class Backlog:
    """Reports by age, the oldest first."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._files: deque[tuple[Path, int]] = deque()  # with their sizes
        self._bytes = 0
        self._next = 0
        self._memory: deque[bytes] = deque()
        self._head: tuple[Stamp, bytes] | None = None  # the oldest one, once it was read
        self._failing = False
        self._dropped = 0
        self._said: set[str] = set()  # why some were dropped
        self._find()

    def __len__(self) -> int:
        return len(self._files) + len(self._memory)

    def add(self, report: bytes, stamp: Stamp) -> None:
        """Keep a report of this moment, JSON but for its end; the oldest give way to the bounds."""
        self._memory.append(json.dumps(stamp).encode() + b"\n" + zlib.compress(report, PACKING))
        self._write_down()
        while len(self._memory) > IN_MEMORY:
            self._drop("the disk takes no more", self._memory)
        while self._bytes > self._most_bytes:
            self._drop("more wait than there is room for")
        while self._is_too_old(stamp):
            self._drop("it has waited for a day")

    def oldest(self, now: Stamp) -> bytes | None:
        """The oldest report as JSON but for its end, its sentAt in it; None when there is none.

        That is its ts and its age: where the sample belongs is told by the time between, whatever the clock says now.
        """
        while len(self):
            try:
                then, report = self._oldest()
            except (OSError, Torn) as error:
                self._drop(f"it cannot be read: {error}")
                continue
            seconds = age(then, now)
            if seconds is None:
                self._drop("nobody knows when it was: the machine started anew since, and its clock was set")
            elif seconds > MOST_SEC:
                self._drop("it has waited for a day")
            else:
                return report + f',"sentAt":{then.wall + seconds:.3f}'.encode()
        return None

    def done(self) -> None:
        """The oldest one is dealt with."""
        self._head = None
        if not self._files:
            self._memory.popleft()
            return
        path, size = self._files.popleft()
        self._bytes -= size
        try:
            path.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("a report that is done with stays on disk", extra={"file": str(path), "error": str(error)})

    def dropped(self) -> int:
        """How many were given up since this was last asked."""
        dropped, self._dropped = self._dropped, 0
        self._said.clear()
        return dropped

    def _find(self) -> None:
        """What an earlier run has left."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for unfinished in self._folder.glob(f"*{_SUFFIX}.new"):
                log.warning("a report that was not written to its end is passed over", extra={"file": str(unfinished)})
                unfinished.unlink()
            found = sorted(path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())
            self._files.extend((path, path.stat().st_size) for path in found)
        except OSError as error:
            log.error("reports cannot be kept on disk", extra={"error": str(error)})
        self._bytes = sum(size for _path, size in self._files)
        self._next = int(self._files[-1][0].stem) + 1 if self._files else 0

    def _write_down(self) -> None:
        """Put on disk what waits in memory; what does not go there waits on."""
        try:
            while self._memory:
                path = self._folder / f"{self._next:012d}{_SUFFIX}"
                write_durably(path, self._memory[0])
                self._next += 1
                self._files.append((path, len(self._memory[0])))
                self._bytes += len(self._memory.popleft())
        except OSError as error:
            if not self._failing:
                why = {"error": str(error), "inMemory": IN_MEMORY}
                log.error("reports cannot be kept on disk: the newest ones wait in memory", extra=why)
            self._failing = True
        else:
            if self._failing:
                log.info("reports are kept on disk again")
            self._failing = False

    def _oldest(self) -> tuple[Stamp, bytes]:
        if self._head is None:
            self._head = _read(self._files[0][0].read_bytes() if self._files else self._memory[0])
        return self._head

    def _is_too_old(self, now: Stamp) -> bool:
        """Whether the oldest one surely is; one that nobody can read or date is dealt with when it is to be sent."""
        try:
            return len(self) > 0 and (age(self._oldest()[0], now) or 0.0) > MOST_SEC
        except (OSError, Torn):
            return False

    def _drop(self, why: str, memory: deque[bytes] | None = None) -> None:
        """Give up the oldest one, or the oldest of those in memory."""
        if why not in self._said:
            log.warning("a report is dropped, and maybe more after it", extra={"why": why, "waiting": len(self)})
        self._said.add(why)
        self._dropped += 1
        if memory:
            memory.popleft()
            self._head = self._head if self._files else None
        else:
            self.done()


def _read(record: bytes) -> tuple[Stamp, bytes]:
    head, _, packed = record.partition(b"\n")
    try:
        return Stamp(*json.loads(head)), zlib.decompress(packed)
    except (ValueError, TypeError, zlib.error) as error:
        raise Torn(str(error)) from error
