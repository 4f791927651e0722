"""Draws in a rule's preview how full the filesystem was on which it would have been open for longest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.utils.safestring import SafeString

from alerts.evaluate import replay_disks
from alerts.evaluate.replay import Episode
from servers import curves, history
from servers.curves import Axis

FULL = 100  # percent


def drawn(server: int, episodes: Sequence[Episode], axis: Axis, limit: float, points: int) -> SafeString:
    """The curve and the limit, in percent; episodes: those of other servers may be among them."""
    step = history.step_for((axis.end - axis.start).total_seconds(), points)
    values = replay_disks.curve(server, worst_mount(server, episodes, axis), axis.start, axis.end, points)
    beside = axis._replace(gap=timedelta(seconds=1.5 * step))
    return curves.drawn(
        ("a", curves.area(values, FULL, beside)),
        ("limit", f"M0 {curves.y(limit, FULL)}H1000"),
    )


def worst_mount(server: int, episodes: Sequence[Episode], axis: Axis) -> str:
    """Of the server's filesystems the one with the longest episodes together."""
    spent: dict[str, float] = defaultdict(float)
    for one in episodes:
        if one.server == server:
            spent[one.subject] += 1 + ((one.closed_at or axis.end) - one.opened_at).total_seconds()
    return max(spent, key=lambda mount: spent[mount])
