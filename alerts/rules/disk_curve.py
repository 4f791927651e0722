"""Draws in a rule's preview how full the filesystem was on which it would have been open for longest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.evaluate import replay_disks
from alerts.evaluate.replay import Episode
from alerts.rules import limit_line
from alerts.rules.limit_line import Drawn
from servers import curves, history
from servers.curves import Axis

FULL = 100  # percent


def worst_mount(episodes: Sequence[Episode], end: datetime) -> str:
    """Of one server's filesystems the one with the longest episodes together; episodes: at least one."""
    spent: dict[str, float] = defaultdict(float)
    for one in episodes:
        spent[one.subject] += 1 + ((one.closed_at or end) - one.opened_at).total_seconds()
    return max(spent, key=lambda mount: spent[mount])


def drawn(server: int, mount: str, axis: Axis, limit: float, points: int) -> Drawn:
    """How full it was, in at most so many points, and the limit, in percent."""
    step = history.step_for((axis.end - axis.start).total_seconds(), points)
    values = replay_disks.curve(server, mount, axis.start, axis.end, points)
    beside = axis._replace(gap=timedelta(seconds=1.5 * step))
    return limit_line.drawn(limit, FULL, ("a", curves.area(values, FULL, beside)))
