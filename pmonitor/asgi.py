"""The ASGI application: browsers' sockets, agents' long-polls and reports, and Django for the rest."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")
django.setup(set_prefix=False)  # before anything that needs the apps

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from actions.queue import QueueConsumer  # noqa: E402
from pmonitor.handler import Handler  # noqa: E402
from pmonitor.sockets import PageConsumer  # noqa: E402
from servers.report_lane import ReportLane  # noqa: E402

handler = Handler()
routes = URLRouter(
    [
        # The long-poll holds neither a thread nor a database connection, so it stands before Django's handler.
        path("api/actions/queue/<str:agent>", QueueConsumer.as_asgi()),  # type: ignore[arg-type]
        re_path(r"", handler),  # type: ignore[arg-type]
    ]
)
application = ProtocolTypeRouter(
    {
        # Most requests are reports; their lane answers as the view does, which answers what is no plain report.
        "http": ReportLane(routes),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter([path("ws", PageConsumer.as_asgi())]))),
    }
)
