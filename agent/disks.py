"""How full this machine's own filesystems are, measured each minute.

Network filesystems are left out, and a thread of its own measures: a filesystem that does not answer stops no report.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import deque
from typing import Any

import psutil

from agent.logs import log

EVERY = 60.0  # seconds
MOST = 50
LONGEST = 255  # bytes of a mount point's name; a longer one is left out, since a part of it names another
# What is no place to put something: images and discs; overlay, tmpfs and the network are not told by psutil at all.
NEVER = ("squashfs", "iso9660", "udf", "erofs", "cramfs", "overlay", "tmpfs", "ramfs", "devtmpfs", "fuseblk")
MB = 1048576
Reading = dict[str, Any]


class Disks:
    """Ask for `news` at each report; it never waits."""

    def __init__(self) -> None:
        self._due = 0.0
        self._measured: deque[list[Reading]] = deque(maxlen=1)  # what no report has told yet
        self._thread: threading.Thread | None = None

    def news(self) -> Reading:
        """The report's member when there is a new measurement, once; begins the next one when it is due."""
        told = {"disks": self._measured.pop()} if self._measured else {}
        now = time.monotonic()
        if now >= self._due and (self._thread is None or not self._thread.is_alive()):
            self._due = now + EVERY
            self._thread = threading.Thread(target=self._measure, name="disks", daemon=True)
            self._thread.start()
        return told

    def _measure(self) -> None:
        try:
            self._measured.append(measure())
        except Exception as error:  # noqa: BLE001 - whatever a kernel or psutil does, reports go on without
            log.warning("disks could not be measured", extra={"error": repr(error)})


def measure() -> list[Reading]:
    """Each filesystem once, by the first of its shortest mount points, in MB; total: what is there for everybody."""
    found: dict[int, Reading] = {}
    parts = [part for part in psutil.disk_partitions(all=False) if part.fstype not in NEVER]
    for part in sorted(parts, key=lambda part: (len(part.mountpoint), part.mountpoint)):
        if part.device.startswith("/dev/loop") or len(part.mountpoint) > LONGEST:
            continue
        try:
            place, told = os.stat(part.mountpoint), os.statvfs(part.mountpoint)
        except OSError:  # not ours to look at, or unmounted meanwhile
            continue
        used = told.f_blocks - told.f_bfree
        # Containers have single files of the host's mounted over theirs.
        if place.st_dev in found or not stat.S_ISDIR(place.st_mode) or not used + told.f_bavail:
            continue
        found[place.st_dev] = {
            "mount": part.mountpoint,
            "device": part.device[:255],
            "fs": part.fstype[:40],
            "usedMB": round(used * told.f_frsize / MB, 1),
            "totalMB": round((used + told.f_bavail) * told.f_frsize / MB, 1),
        }
        if len(found) == MOST:
            break
    return list(found.values())
