"""How full servers' filesystems are, and how full they were."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.utils import timezone

from servers import history, partitions

TABLE = """
CREATE TABLE servers_diskusage (
    server_id bigint NOT NULL,
    mount varchar(255) NOT NULL,
    at timestamptz NOT NULL,
    used_mb float8 NOT NULL,
    total_mb float8 NOT NULL,
    PRIMARY KEY (server_id, mount, at)
) PARTITION BY RANGE (at);
"""


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    level, now = history.LEVELS["servers_diskusage"], timezone.now()
    partitions.make(level, now - level.width, now + level.ahead)


class Migration(migrations.Migration):
    dependencies = [("servers", "0008_states_and_absences")]

    operations = [
        migrations.AddField("newest", "disks", models.JSONField(null=True)),
        migrations.AddField("newest", "disks_at", models.DateTimeField(null=True)),
        migrations.RunSQL(TABLE, "DROP TABLE servers_diskusage"),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
