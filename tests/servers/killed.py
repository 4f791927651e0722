"""A worker of its own that is killed by SIGKILL: python -m tests.servers.killed STEP WHEN POINT, with DATABASE_URL.

STEP is what it works at: compact (as often as there is something to do) or keep (partitions). POINT is one of POINTS,
which the process comes to on its way, and WHEN whether it ends before or after that; none of its handlers runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import django

django.setup()

from django.db.backends.postgresql.base import DatabaseWrapper  # noqa: E402

from servers import compaction, partitions  # noqa: E402
from servers.chunks.samples import Sample  # noqa: E402

HALFWAY = 9  # samples of a chunk
POINTS: dict[str, tuple[Any, str]] = {
    "encoded": (compaction, "encode"),
    "locked": (compaction, "_lock_newest"),
    "taken": (compaction, "_take"),
    "written": (compaction, "_write"),
    "committed": (DatabaseWrapper, "_commit"),
    "dropped": (partitions, "_drop"),
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


def main(step: str, when: str, point: str) -> None:
    """Work until the end comes."""
    module, name = POINTS[point]
    real = getattr(module, name)
    if when == "amid":
        setattr(module, name, lambda samples: real(halfway(samples)))
    elif point == "committed":  # the first that took something away: others are of partitions
        take = compaction._take

        def took(*arguments: Any) -> None:
            take(*arguments)
            setattr(module, name, deadly(real, when))

        setattr(*POINTS["taken"], took)
    else:
        setattr(module, name, deadly(real, when))
    for _ in range(10):
        STEPS[step]()


if __name__ == "__main__":
    main(*sys.argv[1:])
