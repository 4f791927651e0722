"""Watch mode: while a server's page is open, its agent is asked to report every 2 s. It ends by itself.

Web processes note it in the servers' newest rows, which every report reads anyway; so whichever process takes a
report knows of pages that are open at another. What is reported in between is shown, and is no history: that keeps
the usual interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

REPORT_SEC = 2.0
LASTS = timedelta(seconds=25)  # from each look; live.LOOK_SEC is below half of that

# Locked in the order in which reports lock these rows.
LOOK = """UPDATE servers_newest SET watched_until = %s WHERE server_id IN (
    SELECT server_id FROM servers_newest WHERE server_id = ANY(%s) ORDER BY server_id FOR UPDATE)"""


def look(keys: Iterable[str]) -> None:
    """Pages of these servers, by their numbers, are open now."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK, [timezone.now() + LASTS, [int(key) for key in keys]])


def interval(watched_until: datetime | None, now: datetime) -> float:
    """Seconds between reports that an agent is asked for now. A look from the future is of a clock set back."""
    watched = watched_until is not None and now < watched_until <= now + LASTS
    return min(REPORT_SEC, usual()) if watched else usual()


def usual() -> float:
    """Seconds between two reports that are history."""
    return float(settings.REPORT_INTERVAL_SEC)


def is_between(asked_sec: float, kept_at: datetime | None, sampled_at: datetime) -> bool:
    """Whether a sample is no history: its agent was asked for more than usual, and the last one kept is near."""
    if kept_at is None or asked_sec >= usual():
        return False
    return timedelta(0) <= sampled_at - kept_at < timedelta(seconds=usual() - asked_sec / 2)
