"""What a rule on processes measured of a server in the past, drawn beside its limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from statistics import fmean

from alerts.evaluate import replay_processes
from alerts.models import Rule
from alerts.rules import limit_line
from alerts.rules.limit_line import Drawn
from servers import curves
from servers.chunks.samples import micros, moment_of
from servers.curves import Axis
from servers.past_readings import Point


def drawn(rule: Rule, server: int, start: datetime, end: datetime, most: int) -> Drawn:
    """Of so many steps at most, as SVG; a rule on CPU or memory that history can tell."""
    step = (micros(end) - micros(start)) // most
    points = list(_points(rule, server, start, end, step))
    limit = rule.limit or 0.0
    top = curves.round_up(max([limit * 1.1, 1, *(point.max for point in points)]))
    axis = Axis(start, end, timedelta(microseconds=1.5 * step))
    return limit_line.drawn(
        limit,
        top,
        ("band", curves.band(points, top, axis)),
        ("a", curves.area([(point.t, point.avg) for point in points], top, axis)),
    )


def _points(rule: Rule, server: int, start: datetime, end: datetime, step: int) -> Iterator[Point]:
    """Steps in which there was a process, oldest first; step: in microseconds."""
    first, number, held = micros(start), 0, list[float]()
    for times, values in replay_processes.measured(rule, server, start, end):
        for at, value in zip(times, values, strict=True):
            if value is None:
                continue
            if held and (at - first) // step != number:
                yield _point(first + number * step, held)
                held = []
            number = (at - first) // step
            held.append(value)
    if held:
        yield _point(first + number * step, held)


def _point(at: int, values: list[float]) -> Point:
    return Point(moment_of(at), fmean(values), min(values), max(values))
