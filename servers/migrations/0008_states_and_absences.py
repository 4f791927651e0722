"""How servers' states changed, when the hub took no reports, and by how much agents' clocks differ."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# What is known of before: each server is in its state since then.
BEGIN = """
INSERT INTO servers_statechange (server_id, at, state)
SELECT id, state_since, state FROM servers_server WHERE state IN ('up', 'silent')"""


class Migration(migrations.Migration):
    dependencies = [("servers", "0007_cpu_parts")]

    operations = [
        migrations.AddField("newest", "skews", models.JSONField(db_default=[], default=list)),
        migrations.CreateModel(
            "HubBeat",
            [
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("told_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("since", models.DateTimeField()),
                ("boot_sec", models.FloatField()),
                ("awake_sec", models.FloatField()),
                ("boot_id", models.CharField(blank=True, max_length=64)),
            ],
            {"verbose_name": "sign of life of the hub", "verbose_name_plural": "signs of life of the hub"},
        ),
        migrations.CreateModel(
            "HubAbsence",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("start", models.DateTimeField()),
                ("end", models.DateTimeField(db_index=True)),
                ("why", models.CharField(max_length=20)),
            ],
            {
                "verbose_name": "absence of the hub",
                "verbose_name_plural": "absences of the hub",
                "ordering": ("start",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("end__gte", models.F("start"))), name="absence_ends_after_its_start"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "StateChange",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("state", models.CharField(max_length=10)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="servers.server"
                    ),
                ),
            ],
            {
                "verbose_name": "change of state",
                "verbose_name_plural": "changes of state",
                "indexes": [models.Index(fields=["server", "at"], name="state_change_by_time")],
            },
        ),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
    ]
