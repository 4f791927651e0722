from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("servers", "0002_history")]

    operations = [migrations.AddField("service", "can", models.JSONField(null=True))]
