# A summary tells many notices.

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0004_remedy_to_do"),
    ]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="summary",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="notices",
                to="alerts.notification",
            ),
        ),
    ]
