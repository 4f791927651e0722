"""The geometry of sparklines: SVG path data out of percentages, in a box 58 wide and 20 high, two units a point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Run = list[tuple[int, int]]  # x, and y in tenths


def runs(points: Sequence[float | None]) -> list[Run]:
    """The points as x and y, y in tenths, parted where data is missing."""
    parted: list[Run] = [[]]
    for place, value in enumerate(points):
        if value is not None:
            parted[-1].append((2 * place, round(188 - 1.76 * min(100.0, max(0.0, value)))))
        elif parted[-1]:
            parted.append([])
    return [run for run in parted if run]


def line(run: Run) -> str:
    """The line through the points of one run."""
    return f"M{run[0][0]} {run[0][1] / 10:g}{_onward(run)}"


def area(run: Run) -> str:
    """The same line with the area under it; where it meets the box's side its edge is out of sight."""
    left = -3 if run[0][0] == 0 else run[0][0]
    right = 61 if run[-1][0] == 58 else run[-1][0]
    return f"M{left} 23V{run[0][1] / 10:g}H{run[0][0]}{_onward(run)}H{right}V23"


def _onward(run: Run) -> str:
    """The way from the first point on, in relative steps: the shortest form there is."""
    steps = [_step(after - before) for (_, before), (_, after) in pairwise(run)]
    return "l" + " ".join(steps) if steps else "h0"


def _step(tenths: int) -> str:
    rise = f"{abs(tenths) / 10:g}".removeprefix("0") or "0"
    return f"2-{rise}" if tenths < 0 else f"2 {rise}"
