"""The raw levels of history: partitioned tables, the server's id first in their keys, and their first partitions."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone

from servers import history, partitions

TABLES = """
CREATE TABLE servers_hostreading (
    server_id bigint NOT NULL,
    sampled_at timestamptz NOT NULL,
    ts double precision NOT NULL,
    procs_total integer NOT NULL,
    cpu real,
    mem_used_mb real,
    mem_total_mb real,
    swap_used_mb real,
    swap_total_mb real,
    load1 real,
    load5 real,
    load15 real,
    disk_read_bps real,
    disk_write_bps real,
    net_rx_bps real,
    net_tx_bps real,
    PRIMARY KEY (server_id, sampled_at, ts)
) PARTITION BY RANGE (sampled_at);

CREATE TABLE servers_processsnapshot (
    server_id bigint NOT NULL,
    sampled_at timestamptz NOT NULL,
    ts double precision NOT NULL,
    procs_total integer NOT NULL,
    procs bytea NOT NULL,
    PRIMARY KEY (server_id, sampled_at, ts)
) PARTITION BY RANGE (sampled_at);

-- Packed already: compressing again would only cost time.
ALTER TABLE servers_processsnapshot ALTER COLUMN procs SET STORAGE EXTERNAL;
ALTER TABLE servers_newest ALTER COLUMN procs SET STORAGE EXTERNAL;
-- Every row is rewritten with every report: room for the new version on the same page, and swept often.
ALTER TABLE servers_newest SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
"""


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    now = timezone.now()
    for table in ("servers_hostreading", "servers_processsnapshot"):  # those of this migration, whatever comes later
        level = history.LEVELS[table]
        partitions.make(level, now - level.width, now + level.ahead)


class Migration(migrations.Migration):
    dependencies = [("servers", "0001_initial")]

    operations = [
        migrations.RunSQL(TABLES, "DROP TABLE servers_hostreading, servers_processsnapshot"),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
