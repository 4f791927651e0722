from __future__ import annotations

from typing import Any

from django.db import migrations, models

from actions.protected import DEFAULTS


def protect(apps: Any, _schema_editor: Any) -> None:
    """The list an installation begins with; admins change it afterwards."""
    unit = apps.get_model("actions", "ProtectedUnit")
    unit.objects.bulk_create(
        [unit(pattern=pattern, kind=kind) for kind, patterns in DEFAULTS.items() for pattern in patterns],
        ignore_conflicts=True,
    )


class Migration(migrations.Migration):
    dependencies = [("actions", "0002_command_args")]

    operations = [
        migrations.CreateModel(
            name="ProtectedUnit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pattern", models.CharField(max_length=255, unique=True, verbose_name="pattern")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("access", "Access"),
                            ("network", "Network"),
                            ("database", "Database"),
                            ("system", "System"),
                            ("hub", "Process Monitor"),
                            ("other", "Other"),
                        ],
                        default="other",
                        max_length=20,
                        verbose_name="what it is",
                    ),
                ),
            ],
            options={
                "verbose_name": "protected service",
                "verbose_name_plural": "protected services",
                "ordering": ("pattern",),
            },
        ),
        migrations.RunPython(protect, migrations.RunPython.noop),
    ]
