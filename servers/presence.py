"""Who has gone silent: a worker step, by the hub's clock.

A hub that was away, asleep, or whose clock was set heard nobody meanwhile, and that is no server's fault: from then on
every server has its full time again. Nor is anybody marked while no web process takes reports (hub_absences.py).
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from pmonitor import live
from servers import hub_absences, watching

AWAY = timedelta(seconds=10)  # the step runs each 2 s: a longer pause is an absence
JUMP = timedelta(seconds=3)  # the wall clock may drift from the monotonic one by so much between two rounds

# A server that is watched is not silent sooner for that: its agent was asked for more than usual.
# Locked rows are left out: a report is being stored in them. A receipt in the future is of a clock since set back, and
# no sign of life; who is there, reports again within its full time from then on.
MARK = """
WITH quiet AS (
    SELECT n.server_id, least(n.received_at, %(now)s) AS heard FROM servers_newest n
    JOIN servers_server u ON u.id = n.server_id LEFT JOIN servers_hubbeat hub ON true
    WHERE u.state = 'up' AND (hub.told_at IS NULL OR hub.told_at >= statement_timestamp() - %(pause)s)
        AND greatest(
            CASE WHEN n.received_at <= %(now)s + greatest(n.interval_sec, %(usual)s) * %(missed)s * interval '1 second'
                THEN n.received_at END, %(awake)s, hub.since
        ) < %(now)s - greatest(n.interval_sec, %(usual)s) * %(missed)s * interval '1 second'
    FOR UPDATE OF n SKIP LOCKED
), marked AS (
    UPDATE servers_server s SET state = 'silent', state_since = %(now)s FROM quiet
    WHERE s.id = quiet.server_id AND s.state = 'up' RETURNING s.id, quiet.heard
), kept AS (
    INSERT INTO servers_statechange (server_id, at, state) SELECT id, heard, 'silent' FROM marked
)
SELECT id FROM marked
"""


class Watch:
    """Since when this process has been awake without a break, by the wall clock."""

    def __init__(self) -> None:
        self.awake: datetime | None = None
        self._wall: datetime | None = None
        self._steady = 0.0

    def awake_since(self, wall: datetime, steady: float) -> datetime:
        """Told both clocks' time of this round; steady in seconds of time.monotonic."""
        if self.awake is None or self._wall is None or self._was_away(wall, steady, self._wall):
            self.awake = wall
        self._wall, self._steady = wall, steady
        return self.awake

    def _was_away(self, wall: datetime, steady: float, last: datetime) -> bool:
        passed = timedelta(seconds=steady - self._steady)
        return passed > AWAY or abs((wall - last) - passed) > JUMP


watch = Watch()


def mark_silent() -> None:
    """Worker step: servers that are up and missed three reports in a row become silent, once, and pages are told."""
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        awake = watch.awake_since(now, time.monotonic())  # inside: while the database is away, no round counts
        values: dict[str, Any] = {"now": now, "awake": awake, "pause": hub_absences.PAUSE}
        missed = {"missed": settings.SILENT_AFTER_REPORTS, "usual": watching.usual()}
        cursor.execute(MARK, values | missed)
        silent = [server_id for (server_id,) in cursor.fetchall()]
        if silent:
            live.announce("fleet:all", *(f"{kind}:{server}" for server in silent for kind in ("row", "server")))
