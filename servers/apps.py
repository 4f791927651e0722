from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "servers"

    def ready(self) -> None:
        """Register what needs the models, which are there only now."""
        import_module("servers.topics").register()
