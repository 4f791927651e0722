from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """An index of the incidents that are not over: the header counts them on each page."""

    dependencies: ClassVar = [("alerts", "0002_flapping_times")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("state__in", ("open", "acknowledged"))), fields=["-id"], name="incident_live"
            ),
        ),
    ]
