"""Who is being watched, and the process table that history has last where that is not the newest."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("servers", "0005_history_levels")]

    operations = [
        migrations.AddField("newest", "watched_until", models.DateTimeField(null=True)),
        migrations.AddField("newest", "raw_at", models.DateTimeField(null=True)),
        migrations.AddField("newest", "raw_procs", models.BinaryField(null=True)),
    ]
