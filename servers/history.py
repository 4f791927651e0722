"""What is kept of the past: the levels and their lifetimes as data; past.py reads them.

The tables are partitioned by time and written by ingest.py in plain SQL; they are no Django models. Rows refer to
servers by id without a foreign key: their partitions are dropped whole (partitions.py), with or without the server.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from pmonitor.rows import fetched


class Level(NamedTuple):
    """One kept form of the past: a table, how much time one of its partitions holds, how long it lives.

    A partition dies when its lifetime is over and it was rolled up, where its level is (rollup.py). Where samples move
    on to another level (compaction.py), it dies so long after its end as it is empty, and lives on while it is not.
    """

    table: str
    width: timedelta
    ahead: timedelta  # partitions are made so long before they are needed
    kept: timedelta
    emptied: timedelta | None = None
    rolled_up: bool = False


HOST_READINGS, PROCESSES, EVENTS = "servers_hostreading", "servers_processsnapshot", "servers_serviceevent"
HOST_MINUTES, HOST_HOURS, CHUNKS = "servers_hostminute", "servers_hosthour", "servers_processchunk"
HOST_DAYS, DISKS = "servers_hostday", "servers_diskusage"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEVELS = {
    level.table: level
    for level in (
        Level(HOST_READINGS, DAY, 3 * DAY, settings.KEPT["host readings"], rolled_up=True),
        Level(PROCESSES, HOUR, 12 * HOUR, settings.KEPT["processes"], emptied=HOUR),
        Level(EVENTS, 7 * DAY, 14 * DAY, settings.KEPT["service events"]),
        Level(HOST_MINUTES, DAY, 3 * DAY, settings.KEPT["host minutes"]),
        Level(HOST_HOURS, 30 * DAY, 30 * DAY, settings.KEPT["host hours"]),
        Level(HOST_DAYS, 90 * DAY, 30 * DAY, settings.KEPT["host hours"]),
        Level(DISKS, DAY, 3 * DAY, 30 * DAY),
        Level(CHUNKS, DAY, 3 * DAY, settings.KEPT["processes"]),
    )
}
READINGS = (  # the columns of raw host readings; levels above have an average, least, most and count of each
    "procs_total", "cpu", "mem_used_mb", "mem_total_mb", "swap_used_mb", "swap_total_mb", "load1", "load5", "load15",
    "disk_read_bps", "disk_write_bps", "net_rx_bps", "net_tx_bps", "cpu_user", "cpu_system", "cpu_iowait", "cpu_steal",
)  # fmt: skip

METRICS = {  # by the protocol's names; percent, MB, bytes a second, counts
    "cpu": "cpu",
    "cpuUser": "cpu_user",
    "cpuSystem": "cpu_system",
    "cpuIowait": "cpu_iowait",
    "cpuSteal": "cpu_steal",
    "mem": "100 * mem_used_mb / NULLIF(mem_total_mb, 0)",
    "memUsedMB": "mem_used_mb",
    "swap": "100 * swap_used_mb / NULLIF(swap_total_mb, 0)",
    "swapUsedMB": "swap_used_mb",
    "load1": "load1",
    "load5": "load5",
    "load15": "load15",
    "diskReadBps": "disk_read_bps",
    "diskWriteBps": "disk_write_bps",
    "netRxBps": "net_rx_bps",
    "netTxBps": "net_tx_bps",
    "procs": "procs_total",
}
STEPS = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)  # seconds


def step_for(seconds: float, count: int) -> int:
    """The smallest round step, in seconds, that needs no more than count points for so many seconds."""
    least = seconds / max(count - 1, 1)  # steps begin at round times, so one more may be cut by the range's ends
    return next((step for step in STEPS if step >= least), 86400 * (int(least // 86400) + 1))


def rolled_up_until(table: str) -> datetime:
    """Everything before that is in the level (of host readings), but for what came in late."""
    return rolled_up().get(table, datetime.fromtimestamp(0, UTC))


def rolled_up() -> dict[str, datetime]:
    """The same of each level that was begun."""
    return dict(fetched("SELECT level, until FROM servers_rolledup"))
