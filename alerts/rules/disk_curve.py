"""Draws in a rule's preview how full a filesystem was."""

from __future__ import annotations

from datetime import timedelta

from alerts.evaluate import replay_disks
from alerts.rules import limit_line
from alerts.rules.limit_line import Drawn
from servers import curves, history
from servers.curves import Axis

FULL = 100  # percent


def drawn(server: int, mount: str, axis: Axis, limit: float, points: int) -> Drawn:
    """How full it was, in at most so many points, and the limit, in percent."""
    step = history.step_for((axis.end - axis.start).total_seconds(), points)
    values = replay_disks.curve(server, mount, axis.start, axis.end, points)
    beside = Axis(axis.start, axis.end, timedelta(seconds=1.5 * step))
    return limit_line.drawn(limit, FULL, ("a", curves.area(values, FULL, beside)))
