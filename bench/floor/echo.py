"""The floor of live updates: what is posted, a list of messages, goes to every socket by a group; nothing else."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.floor.echo_settings")

from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter


class Post(AsyncHttpConsumer):
    """Hands the posted messages on."""

    async def handle(self, body: bytes) -> None:
        layer: Any = get_channel_layer()
        await layer.group_send("pages", {"type": "messages", "messages": json.loads(body)})
        await self.send_response(202, b"")


class Page(AsyncWebsocketConsumer):
    """Gets them."""

    groups = ["pages"]

    async def messages(self, event: dict[str, Any]) -> None:
        """Send each as it is."""
        for message in event["messages"]:
            await self.send(text_data=message)


application = ProtocolTypeRouter({"http": Post.as_asgi(), "websocket": Page.as_asgi()})
