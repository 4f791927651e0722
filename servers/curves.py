"""Curves of a timeline as SVG path data: a drawing is 1000 wide and 100 high; missing data is a gap, never a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.safestring import SafeString, mark_safe

from servers.past_readings import Point

Value = tuple[datetime, float]


class Axis(NamedTuple):
    """The time range shown, and up to which gap two points are still one line."""

    start: datetime
    end: datetime
    gap: timedelta

    def x(self, t: datetime) -> float:
        """Where a moment is, 0 to 1000."""
        return 1000 * (t - self.start) / (self.end - self.start)


def area(values: Sequence[Value], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    """A filled curve, broken at gaps; upper and lower draw into that half only, growing from the middle."""
    base = "50" if upper or lower else "106"
    drawn = []
    for run in runs(values, axis):
        points = [f"{axis.x(t):.0f} {y(value, top, upper, lower)}" for t, value in run]
        first, last = f"{axis.x(run[0][0]):.0f}", f"{axis.x(run[-1][0]):.0f}"
        drawn.append(f"M{first} {base}L{'L'.join(points)}L{last} {base}")
    return "".join(drawn)


def line(values: Sequence[Value], top: float, axis: Axis) -> str:
    """A curve, broken at gaps."""
    return "".join("M" + "L".join(f"{axis.x(t):.0f} {y(value, top)}" for t, value in run) for run in runs(values, axis))


def band(points: Sequence[Point], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    """From the least to the most of each step, broken at gaps; nothing where no step holds more than one reading."""
    if all(point.min == point.max for point in points):
        return ""
    most, least = ([(max(p.t, axis.start), value) for p, value in zip(points, values, strict=True)]
                   for values in ([p.max for p in points], [p.min for p in points]))  # fmt: skip
    drawn = []
    for above, below in zip(runs(most, axis), runs(least, axis), strict=True):
        there = [f"{axis.x(t):.0f} {y(value, top, upper, lower)}" for t, value in [*above, *reversed(below)]]
        drawn.append(f"M{'L'.join(there)}Z")
    return "".join(drawn)


def runs(values: Sequence[Value], axis: Axis) -> list[list[Value]]:
    """The values in runs without a gap."""
    runs: list[list[Value]] = []
    for point in values:
        if runs and point[0] - runs[-1][-1][0] <= axis.gap:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def y(value: float, top: float, upper: bool = False, lower: bool = False) -> str:
    """How far down a value is drawn."""
    share = min(1.0, max(0.0, value / top))
    if upper:
        return f"{50 - 46 * share:.1f}"
    if lower:
        return f"{50 + 46 * share:.1f}"
    return f"{100 - 96 * share:.1f}"


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …, so that a scale rarely moves."""
    step = 1.0
    while step < value:
        for factor in (1, 2, 5):
            if step * factor >= value:
                return step * factor
        step *= 10
    return step


def drawn(*paths: tuple[str, str]) -> SafeString:
    """The paths, each (class, d), as SVG; empty ones are left out."""
    made = "".join(f'<path class="{kind}" d="{d}"/>' for kind, d in paths if d)
    return mark_safe(made)  # noqa: S308  classes and numbers of our own
