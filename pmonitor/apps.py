from __future__ import annotations

from django.apps import AppConfig


class PmonitorConfig(AppConfig):
    name = "pmonitor"
