"""A process of its own that is killed by SIGKILL: python -m tests.servers.killed STEP WHEN POINT, with DATABASE_URL.

STEP is what it works at: compact (as often as there is something to do), keep (partitions), or backfill: it stores
srv-web-01's quarter(SEED, START) as reports that come late, START being a fourth argument. POINT is one of POINTS,
which the process comes to on its way, and WHEN whether it ends before or after that; none of its handlers runs.
WHEN may be never: then the process says that it is ready, begins when it is told a line, and ends by itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import django

django.setup()

from django.db.backends.postgresql.base import DatabaseWrapper  # noqa: E402
from django.utils import timezone  # noqa: E402

from servers import compaction, partitions, report_rows  # noqa: E402
from servers.chunks.samples import Sample  # noqa: E402
from servers.models import Server  # noqa: E402
from tests.servers.samples import quarter, store  # noqa: E402

HALFWAY = 9  # samples of a chunk, or reports
SEED = 7
POINTS: dict[str, tuple[Any, str]] = {
    "encoded": (compaction, "encode"),
    "locked": (compaction, "_lock_newest"),
    "taken": (compaction, "_take"),
    "written": (compaction, "_write"),
    "committed": (DatabaseWrapper, "_commit"),
    "dropped": (partitions, "_drop"),
    "stored": (report_rows, "write"),
}
STEPS: dict[str, Callable[[], None]] = {"compact": compaction.compact, "keep": partitions.keep}


def end() -> None:
    """As a power cut, or the kernel when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(real: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The function, and the end before or after it."""

    def run(*arguments: Any) -> Any:
        if when == "before":
            end()
        real(*arguments)
        end()

    return run


def halfway(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The samples, and the end in their midst."""
    for number, sample in enumerate(samples):
        if number == HALFWAY:
            end()
        yield sample


def arm(when: str, point: str) -> None:
    """Have the process end there."""
    module, name = POINTS[point]
    setattr(module, name, deadly(getattr(module, name), when))


def backfill(when: str, point: str, start: str) -> None:
    """Store what comes late, until the end comes in the midst of it."""
    server = Server.objects.get(agent_id="srv-web-01")
    for number, (at, procs) in enumerate(quarter(SEED, datetime.fromisoformat(start)).items()):
        if number == HALFWAY:
            arm(when, point)
        store(server, at, procs, timezone.now())


def work(step: str, when: str, point: str) -> None:
    """Work as a worker does, until the end comes."""
    module, name = POINTS[point]
    real = getattr(module, name)
    if when == "never":
        print("ready", flush=True)
        sys.stdin.readline()
    elif when == "amid":
        setattr(module, name, lambda samples: real(halfway(samples)))
    elif point == "committed":  # the first that took something away: others are of partitions
        take = compaction._take

        def took(*arguments: Any) -> None:
            take(*arguments)
            arm(when, point)

        setattr(*POINTS["taken"], took)
    else:
        arm(when, point)
    for _ in range(10):
        STEPS[step]()


if __name__ == "__main__":
    if sys.argv[1] == "backfill":
        backfill(*sys.argv[2:])
    else:
        work(*sys.argv[1:])
