"""Curves of a timeline as SVG path data: a drawing is 1000 wide and 100 high; missing data is a gap, never a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.safestring import SafeString, mark_safe

from servers.past_readings import Point

Value = tuple[datetime, float]


class Axis:
    """The time range shown, and up to which gap two points are still one line."""

    def __init__(self, start: datetime, end: datetime, gap: timedelta) -> None:
        self.start, self.end, self.gap = start, end, gap
        self._drawn: dict[datetime, str] = {}

    def x(self, t: datetime) -> float:
        """Where a moment is, 0 to 1000."""
        return 1000 * (t - self.start) / (self.end - self.start)

    def drawn(self, t: datetime) -> str:
        """The same, as a path has it: some twenty curves ask for each step's."""
        if (x := self._drawn.get(t)) is None:
            x = self._drawn[t] = f"{self.x(t):.0f}"
        return x


def area(values: Sequence[Value], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    """A filled curve, broken at gaps; upper and lower draw into that half only, growing from the middle."""
    base = "50" if upper or lower else "106"
    drawn = []
    for run in runs(values, axis):
        first, last = axis.drawn(run[0][0]), axis.drawn(run[-1][0])
        drawn.append(f"M{first} {base}L{_points(run, top, axis, upper, lower)}L{last} {base}")
    return "".join(drawn)


def line(values: Sequence[Value], top: float, axis: Axis) -> str:
    """A curve, broken at gaps."""
    return "".join(f"M{_points(run, top, axis)}" for run in runs(values, axis))


def band(points: Sequence[Point], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    """From the least to the most of each step, broken at gaps; nothing where no step holds more than one reading."""
    if all(point.min == point.max for point in points):
        return ""
    most, least = ([(max(p.t, axis.start), value) for p, value in zip(points, values, strict=True)]
                   for values in ([p.max for p in points], [p.min for p in points]))  # fmt: skip
    drawn = []
    for above, below in zip(runs(most, axis), runs(least, axis), strict=True):
        drawn.append(f"M{_points([*above, *reversed(below)], top, axis, upper, lower)}Z")
    return "".join(drawn)


def _points(values: Sequence[Value], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    heights = _heights([value for _t, value in values], top, upper, lower)
    return "L".join([f"{axis.drawn(t)} {height}" for (t, _value), height in zip(values, heights, strict=True)])


def runs(values: Sequence[Value], axis: Axis) -> list[list[Value]]:
    """The values in runs without a gap."""
    runs: list[list[Value]] = []
    for point in values:
        if runs and point[0] - runs[-1][-1][0] <= axis.gap:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def y(value: float, top: float) -> str:
    """How far down a value is drawn."""
    return _heights([value], top, upper=False, lower=False)[0]


def _heights(values: Sequence[float], top: float, upper: bool, lower: bool) -> list[str]:
    """How far down each is drawn: from where nothing is, up (less than 0) or down to the top of the scale."""
    base, height = (50, -46) if upper else (50, 46) if lower else (100, -96)
    return [f"{base + height * min(1.0, max(0.0, value / top)):.1f}" for value in values]


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
