"""Explains a stretch of a server: its own readings beside what its processes added, and when it was highest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection

from servers import history, past, service_events, service_history, spike, spike_samples
from servers.models import Newest
from servers.past import Point
from servers.spike import CPU, Explained, Host
from servers.spike_asked import Asked

POINTS: Final = 365  # of an hour each reading
MOST_BOOTS: Final = 100
READING: Final = {CPU: "cpu", spike.MEM: "mem_used_mb"}
HIGHEST: Final = f"""SELECT sampled_at FROM {history.HOST_READINGS}
    WHERE server_id = %(server)s AND sampled_at >= %(start)s AND sampled_at < %(end)s AND {{reading}} IS NOT NULL
    ORDER BY {{reading}} DESC, sampled_at LIMIT 1"""  # noqa: S608  names of our own


class Found(NamedTuple):
    """The explanation; cores: of the server, None where it does not tell; lines: its readings before and in it."""

    asked: Asked
    explained: Explained
    cores: int | None
    before: list[Point]
    now: list[Point]
    step: timedelta  # between two of those
    peak: datetime | None
    boots: list[datetime]

    def shown(self, value: float) -> float:
        """The server's reading as pages show it: CPU in percent of all cores."""
        return value / self.cores if self.explained.metric == CPU and self.cores else value


def find(server_id: int, newest: Newest | None, asked: Asked) -> Found:
    """Everything about the stretch."""
    cores = _cores(newest)
    lines = [_line(server_id, asked.metric, *ends) for ends in ((asked.begin, asked.start), (asked.start, asked.end))]
    (before, _step), (now, step) = lines
    unit = 1.0 if asked.metric != CPU else cores
    host = Host(_mean(before, unit), _mean(now, unit))
    boots = sorted(
        event.at
        for event in service_history.newest(server_id, MOST_BOOTS, name="", since=asked.begin, before=asked.end)
        if event.kind == service_events.BOOTED
    )
    read = spike_samples.read(server_id, asked.metric, asked.begin, asked.start, asked.end, boots)
    explained = spike.explain(asked.metric, read.before, read.now, read.whats, host)
    return Found(asked, explained, cores, before, now, step, _peak(server_id, asked, now, step), boots)


def _cores(newest: Newest | None) -> int | None:
    told = newest.facts.get("cpuCount") if newest else None
    return told if isinstance(told, int) and told > 0 else None


def _line(server_id: int, metric: str, start: datetime, end: datetime) -> tuple[list[Point], timedelta]:
    """The server's readings: CPU in percent of all cores, memory in MB."""
    name = "cpu" if metric == CPU else "memUsedMB"
    found = past.readings(server_id, start, end, POINTS, [name])
    return found.series[name], timedelta(seconds=found.step)


def _mean(points: Sequence[Point], unit: float | None) -> float | None:
    return unit * sum(point.avg for point in points) / len(points) if points and unit else None


def _peak(server_id: int, asked: Asked, points: Sequence[Point], step: timedelta) -> datetime | None:
    """When the reading was highest: the report's own moment where it is kept, or else about the middle of its step."""
    about: dict[str, Any] = {"server": server_id, "start": asked.start, "end": asked.end}
    with connection.cursor() as cursor:
        cursor.execute(HIGHEST.format(reading=READING[asked.metric]), about)
        row = cursor.fetchone()
    if row:
        at: datetime = row[0]
        return at
    highest = max(points, key=lambda point: point.max, default=None)
    return min(max(highest.t + step / 2, asked.start), asked.end) if highest else None
