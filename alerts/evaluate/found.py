"""What finders tell the machine: how a subject of a rule stood at a sample. One shape for every kind of rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from alerts.models import Rule, Standing

OVER, BETWEEN, UNDER, NO_DATA = "over", "between", "under", "no data"  # between: under the limit, not the clear limit

# A fact of NO_DATA where samples come and tell too little: {"why": CUT, "listed": 500, "processes": 630}.
WHY = "noData"
CUT, UNTOLD = "table cut", "service untold"  # processes were left out; the service has no main process


class Seen(NamedTuple):
    """A subject of a rule at one sample. value is in the kind's unit."""

    rule: int
    server: int
    subject: str  # empty: the server itself
    at: datetime  # when it was sampled; of NO_DATA, the moment that nothing was known of
    level: str
    value: float | None = None
    facts: dict[str, Any] = {}  # what a sentence names: {"process": "postgres", "pid": 12}


class Aim(NamedTuple):
    """A rule and the servers its scope means."""

    rule: Rule
    servers: Sequence[int]


class Fresh(NamedTuple):
    """A server's samples that no round has looked at: those sampled after `after`, up to and with `until`."""

    server: int
    after: datetime
    until: datetime


class Stretch(NamedTuple):
    """What is looked at in one round: samples received after `after`, up to and with `until`.

    fresh: which ones exactly, of each server that has any. That is what samples in history are looked up by: when they
    were received does not tell which of them the round before could see.
    """

    after: datetime
    until: datetime
    fresh: Sequence[Fresh] = ()


# (rules of the finder's kinds, the stretch, what stands) -> in the order of time, subjects that are over, and every
# subject of which something stands. Subjects that are well and of which nothing stands are left out: that is what
# keeps a round's cost in what happens, not in rules times servers.
Finder = Callable[[Sequence[Aim], Stretch, Sequence[Standing]], Iterable[Seen]]
