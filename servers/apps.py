from __future__ import annotations

from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "servers"

    def ready(self) -> None:
        """Make the live topics of the pages about servers known."""
        # The modules need the models, which are there only now.
        from pmonitor.live import TOPICS, Topic  # noqa: PLC0415
        from servers import fleet_live, server_live  # noqa: PLC0415

        TOPICS.update(fleet_live.TOPICS)
        TOPICS["server"] = Topic(server_live.may_watch, server_live.update)
