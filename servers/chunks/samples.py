"""What a chunk holds, and how the bytes are divided; both writing and reading build on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from servers.proctable import Table

VERSION: Final = b"\x01"
SECTIONS: Final = 5  # head, CPU, memory, status, threads
EPOCH: Final = datetime.fromtimestamp(0, UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class Sample(NamedTuple):
    """A process table as it was stored: when it was sampled by the hub's clock and by the agent's; of how many."""

    sampled_at: datetime
    ts: float
    total: int
    table: Table

    @property
    def key(self) -> tuple[datetime, float]:
        """What makes it one and the same sample of its server."""
        return self.sampled_at, self.ts


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """The moment so many microseconds after the beginning of 1970."""
    return EPOCH + microseconds * MICROSECOND
