"""What services tell besides their state, and the kept record of what happened to them."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.utils import timezone

from servers import history, partitions

TABLE = """
CREATE TABLE servers_serviceevent (
    server_id bigint NOT NULL,
    name varchar(255) NOT NULL,
    at timestamptz NOT NULL,
    kind varchar(20) NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (server_id, name, at, kind)
) PARTITION BY RANGE (at);
-- The server page's newest events, and its timeline.
CREATE INDEX serviceevent_by_time ON servers_serviceevent (server_id, at DESC);
"""


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    level, now = history.LEVELS["servers_serviceevent"], timezone.now()
    partitions.make(level, now - level.width, now + level.ahead)


class Migration(migrations.Migration):
    dependencies = [("servers", "0003_service_can")]

    operations = [
        migrations.AddField("service", "type", models.CharField(blank=True, db_default="", max_length=40)),
        migrations.AddField("service", "aliases", models.JSONField(db_default=[], default=list)),
        migrations.AddField("service", "triggered_by", models.JSONField(db_default=[], default=list)),
        migrations.AddField("service", "last_exit", models.CharField(blank=True, db_default="", max_length=40)),
        migrations.AddField("service", "reloaded_at", models.DateTimeField(null=True)),
        migrations.AddField("service", "reload_status", models.IntegerField(null=True)),
        migrations.RunSQL(TABLE, "DROP TABLE servers_serviceevent"),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
