"""A past to preview rules on: memory by the minute, high for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from servers import history, partitions
from servers.models import Server

DAYS = 2
INSERT = f"""INSERT INTO {history.HOST_READINGS}
    (server_id, sampled_at, ts, mem_used_mb, mem_total_mb, cpu, procs_total) VALUES (%s, %s, %s, %s, 100, 5, 9)"""  # noqa: S608


def memory(server: Server, high: int, low: int, minutes: int = 180) -> datetime:
    """So many minutes with 50 % of memory used, but 95 % from `high` to `low` minutes ago; returns when that began."""
    now = timezone.now().replace(second=0, microsecond=0)
    partitions.make(history.LEVELS[history.HOST_READINGS], now - timedelta(days=DAYS), now)
    moments = [(ago, now - timedelta(minutes=ago)) for ago in range(minutes, 0, -1)]
    rows = [(server.pk, at, at.timestamp(), 95 if low < ago <= high else 50) for ago, at in moments]
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, rows)
    return now - timedelta(minutes=high)
