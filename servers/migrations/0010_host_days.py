"""Host readings by the day, for charts of a year and more; the worker makes them of the hours there are."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone

from servers import history, partitions

TABLE = """CREATE TABLE servers_hostday (
    LIKE servers_hosthour INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (server_id, at)
) PARTITION BY RANGE (at)"""


def make_first_partitions(apps: Any, schema_editor: Any) -> None:
    now, level = timezone.now(), history.LEVELS["servers_hostday"]
    partitions.make(level, now - level.width, now + level.ahead)


class Migration(migrations.Migration):
    dependencies = [("servers", "0009_disks")]

    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE servers_hostday"),
        migrations.RunPython(make_first_partitions, migrations.RunPython.noop),
    ]
