from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PmonitorConfig(AppConfig):
    name = "pmonitor"
    default = True

    def ready(self) -> None:
        from pmonitor import checks  # noqa: F401, PLC0415 - registers the system checks; needs all models


class HubAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "pmonitor.admin_site.HubAdminSite"
