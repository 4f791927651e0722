"""What a rule would have done over a stretch of history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from alerts.models import Rule
from alerts.rules import kinds
from servers import history, past_readings


class Episode(NamedTuple):
    """A time for which it would have been open; closed_at: None while it still is."""

    server: int
    subject: str
    began_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    value: float | None


def replay(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> list[Episode] | None:
    """Its episodes; None where history cannot tell this kind."""
    metric = rule.params.get("metric", "")
    if rule.kind != kinds.READING or metric not in history.METRICS:
        return None
    found = []
    for server in servers:
        began = opened = None
        points = past_readings.readings(server, start, end, 2_000, [metric]).series[metric]
        for point in points:
            over = point.avg < (rule.limit or 0) if rule.params.get("below") else point.avg > (rule.limit or 0)
            if not over and opened and began:
                found.append(Episode(server, "", began, opened, point.t, point.avg))
            if not over:
                began = opened = None
                continue
            began = began or point.t
            if opened is None and point.t - began >= timedelta(seconds=rule.for_sec):
                opened = point.t
        if opened and began:
            found.append(Episode(server, "", began, opened, None, None))
    return found
