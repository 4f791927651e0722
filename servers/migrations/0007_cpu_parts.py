"""What a server's CPU was spent on, at every level of host readings; new columns come last, as rows are written."""

from __future__ import annotations

from django.db import migrations

PARTS = ("cpu_user", "cpu_system", "cpu_iowait", "cpu_steal")
OF_EACH = (("avg", "real"), ("min", "real"), ("max", "real"), ("n", "integer"))
ROLLED_UP = {f"{part}_{name}": kind for part in PARTS for name, kind in OF_EACH}
COLUMNS = {
    "servers_hostreading": dict.fromkeys(PARTS, "real"),
    "servers_hostminute": ROLLED_UP,
    "servers_hosthour": ROLLED_UP,
}


def _add(table: str) -> str:
    return f"ALTER TABLE {table} {', '.join(f'ADD {name} {kind}' for name, kind in COLUMNS[table].items())};"


def _drop(table: str) -> str:
    return f"ALTER TABLE {table} {', '.join(f'DROP {name}' for name in COLUMNS[table])};"


class Migration(migrations.Migration):
    dependencies = [("servers", "0006_watching")]

    operations = [
        migrations.RunSQL("".join(_add(table) for table in COLUMNS), "".join(_drop(table) for table in COLUMNS)),
    ]
