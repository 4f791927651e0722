"""Reads the past: process tables as they were, of raw rows and chunks alike, and the series of host readings.

What is asked is always of one server (or a given list), by its id: who may see it, the caller has checked.
Raw rows are read before chunks. So what is compacted in between is met twice, and never missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from servers.wire import Proc

WITHIN = timedelta(minutes=15)  # a table this old still tells how it was; an older one does not


class Snapshot(Struct, gc=False):
    """A server's process table: when it was sampled (hub's clock, agent's clock), of how many, which."""

    sampled_at: datetime
    ts: float
    procs_total: int
    procs: list[Proc]


def table(server_id: int, moment: datetime, within: timedelta = WITHIN) -> Snapshot | None:
    """The newest process table at or before a moment, and not older than within; None where there is none."""
    raise NotImplementedError


def tables(server_id: int, start: datetime, end: datetime) -> Iterator[Snapshot]:
    """All process tables sampled from start up to and without end, oldest first; read an hour at a time."""
    raise NotImplementedError


def neighbours(server_id: int, moment: datetime) -> tuple[datetime | None, datetime | None]:
    """When the samples just before and just after a moment (and not at it) were taken; None where there is none."""
    raise NotImplementedError


def line(
    server_id: int, pid: int, start_ticks: int | None, start: datetime, end: datetime
) -> list[tuple[datetime, float | None, float]]:
    """One process's (when, CPU in percent of one core or None, memory in MB) from start up to and without end."""
    raise NotImplementedError


class Point(Struct, gc=False):
    """A metric over one step that begins at t."""

    t: datetime
    avg: float
    min: float
    max: float


class Readings(Struct, gc=False):
    """Series by metric (history.METRICS); a step without a reading has no point: that is a gap. step: seconds."""

    step: int
    series: dict[str, list[Point]]


def readings(server_id: int, start: datetime, end: datetime, points: int, metrics: list[str] | None = None) -> Readings:
    """Host readings from start up to and without end, at most so many points each, of the level that fits."""
    raise NotImplementedError
