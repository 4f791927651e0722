"""What raw history is rolled up and compacted into, and how far that is; what a raw process table may build on."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.utils import timezone

from servers import history, partitions

READINGS = (
    "procs_total", "cpu", "mem_used_mb", "mem_total_mb", "swap_used_mb", "swap_total_mb", "load1", "load5", "load15",
    "disk_read_bps", "disk_write_bps", "net_rx_bps", "net_tx_bps",
)  # fmt: skip
COLUMNS = ", ".join(f"{name}_avg real, {name}_min real, {name}_max real, {name}_n integer" for name in READINGS)
ROLLED_UP = """
CREATE TABLE {table} (
    server_id bigint NOT NULL,
    at timestamptz NOT NULL,
    samples integer NOT NULL,
    {columns},
    PRIMARY KEY (server_id, at)
) PARTITION BY RANGE (at);
"""
TABLES = """
CREATE TABLE servers_processchunk (
    server_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    written_at timestamptz NOT NULL,
    samples integer NOT NULL,
    process_samples integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (server_id, hour)
) PARTITION BY RANGE (hour);
ALTER TABLE servers_processchunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- How far each level is rolled up: everything before that is, but for the hours in servers_latehour.
CREATE TABLE servers_rolledup (
    level text PRIMARY KEY,
    until timestamptz NOT NULL
);
-- Hours of servers that got a sample after they may have been rolled up.
CREATE TABLE servers_latehour (
    server_id bigint NOT NULL,
    hour timestamptz NOT NULL,
    PRIMARY KEY (server_id, hour)
);
"""
NEW = ("servers_hostminute", "servers_hosthour", "servers_processchunk")


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    now = timezone.now()
    for table in NEW:
        level = history.LEVELS[table]
        partitions.make(level, now - level.width, now + level.ahead)


class Migration(migrations.Migration):
    dependencies = [("servers", "0004_service_events")]

    operations = [
        migrations.AddField("newest", "raw_ts", models.FloatField(null=True)),
        migrations.RunSQL(
            TABLES + "".join(ROLLED_UP.format(table=table, columns=COLUMNS) for table in NEW[:2]),
            f"DROP TABLE {', '.join(NEW)}, servers_rolledup, servers_latehour",
        ),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
