"""A past to preview rules on: memory as each report tells it, high for a while."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from servers import history, partitions
from servers.models import Server

INSERT = f"""INSERT INTO {history.HOST_READINGS}
    (server_id, sampled_at, ts, mem_used_mb, mem_total_mb, cpu, procs_total)
    SELECT %(server)s, at, extract(epoch FROM at),
        CASE WHEN at >= %(high)s AND at < %(low)s THEN 95 ELSE 50 END, 100, 5, 9
    FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, interval '10 seconds') at"""  # noqa: S608


def memory(server: Server, high: int, low: int) -> datetime:
    """Three hours with 50 % of memory used, but 95 % from `high` to `low` minutes ago; returns when that began."""
    now = timezone.now()
    partitions.make(history.LEVELS[history.HOST_READINGS], now - timedelta(days=1), now)
    ago = {"high": high, "low": low, "start": 180, "end": 0}
    moments = {name: now - timedelta(minutes=minutes) for name, minutes in ago.items()}
    if not low:
        moments["low"] = now + timedelta(seconds=1)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, {"server": server.pk, **moments})
    return moments["high"]
