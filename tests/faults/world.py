"""What hub and agents live in: a time of its own, clocks that are wrong, and faults that wait at points of the way.

Nothing here runs by itself: hub and agents are called step by step in one thread, so that a run can be repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from django.utils import timezone

from actions import steady
from agent import commands, evidence, hubclock
from servers import presence

EPOCH = 1_795_600_000.0
HOUR = 3600.0
WORKER_SEC = 2.0
# Where a fault can wait: before a call reaches the hub and after it did, around a line of the journal, around the
# action, and at each look at the service afterwards.
POINTS = (
    "ack.before", "ack.after", "result.before", "result.after", "journal.before", "journal.after", "act.before",
    "act.after", "watch",
)  # fmt: skip


class Killed(BaseException):
    """The agent's process is gone, at this very point; no handler of Exception sees it."""


class World:
    """True time in seconds, and the faults that wait."""

    def __init__(self) -> None:
        self.true = 0.0
        self.hub_offset = 0.0
        self.agent_offset = 0.0
        self.disk_full = False
        self.worker_runs = True
        self.armed: list[tuple[str, Callable[[], None]]] = []
        self.story: list[str] = []  # what happened, for a person who reads a failure

    def tell(self, what: str) -> None:
        self.story.append(f"{self.true:8.1f} {what}")

    def advance(self, seconds: float) -> None:
        """Let time pass; a worker that runs looks at its clocks every other second."""
        end = self.true + seconds
        while self.true + WORKER_SEC <= end:
            self.true += WORKER_SEC
            self.watch()
        self.true = end

    def watch(self) -> None:
        if self.worker_runs:
            presence.watch.awake_since(self.hub_now(), 500.0 + self.true)

    def arm(self, point: str, fault: Callable[[], None]) -> None:
        """Let a fault happen when the way next comes to this point."""
        self.armed.append((point, fault))

    def at(self, point: str) -> None:
        """The way comes to a point: the first fault that waits there happens."""
        for number, (where, fault) in enumerate(self.armed):
            if where == point:
                del self.armed[number]
                self.tell(f"  at {point}:")
                return fault()

    def hub_now(self) -> datetime:
        return datetime.fromtimestamp(EPOCH + self.true + self.hub_offset, UTC)

    def agent_wall(self) -> float:
        return EPOCH + self.true + self.agent_offset

    @contextmanager
    def time(self) -> Iterator[None]:
        """Hub and agents read these clocks."""
        clock: Any = Clock(self)
        with (
            patch.object(timezone, "now", self.hub_now),
            patch.object(presence, "watch", presence.Watch()),
            patch.object(presence, "time", clock),
            patch.object(steady, "time", clock),
            patch.object(hubclock, "time", clock),
            patch.object(evidence, "time", clock),
            patch.object(commands, "time", clock),
        ):
            yield


class Clock:
    """In the place of the module `time` in the agent."""

    CLOCK_BOOTTIME = 7

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        return self._world.agent_wall()

    def monotonic(self) -> float:
        return 500.0 + self._world.true

    def clock_gettime(self, _which: int) -> float:
        return 9000.0 + self._world.true


class Stop(threading.Event):
    """The agent's stop event: whoever waits on it lets the world's time pass."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def wait(self, timeout: float | None = None) -> bool:
        self._world.at("watch")
        self._world.advance(timeout or 0.0)
        return self.is_set()
