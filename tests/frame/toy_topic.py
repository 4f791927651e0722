"""A toy topic in place of a server's, and a browser's page that watches it over the real consumer and channel layer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.layers import channel_layers
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from pmonitor import live, sockets
from pmonitor.live import Topic, View


class Toy:
    """What a topic shows: two fragments, and how often it was rendered."""

    def __init__(self) -> None:
        self.parts = {"name": "web-01", "cpu": "1"}
        self.rendered: list[tuple[str, View, float]] = []

    @property
    def version(self) -> str:
        return "/".join(self.parts.values())

    def render(self, key: str, view: View) -> tuple[str, dict[str, str]]:
        if self.parts["cpu"] == "broken":
            raise RuntimeError("cannot be shown")
        self.rendered.append((key, view, time.monotonic()))
        return self.version, {name: f'<b id="{name}">{text} {view.language}</b>' for name, text in self.parts.items()}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    shown = Toy()
    topic = Topic(lambda user, keys: keys - {"secret"}, live.by_id(shown.render), every=0.3)
    monkeypatch.setitem(live.TOPICS, "toy", topic)
    monkeypatch.setattr(live, "broadcast", live.Broadcast())
    channel_layers.backends.clear()  # of another event loop
    yield shown
    live.loop = None


class Page:
    """A browser's page: its socket, and what came over it."""

    def __init__(self, user: User | AnonymousUser, **scope: Any) -> None:
        self.socket = WebsocketCommunicator(sockets.PageConsumer.as_asgi(), "/ws")
        self.socket.scope |= {"user": user, "cookies": {}, **scope}

    async def __aenter__(self) -> Page:
        assert (await self.socket.connect())[0]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.disconnect()

    async def watch(self, **topics: str) -> list[str]:
        """Watch toy:NAME at a version; what came up to the blank answer."""
        await self.say({"watch": {f"toy:{key}": version for key, version in topics.items()}})
        found: list[str] = []
        while (html := await self.socket.receive_from()) != sockets.HEARD:
            found.append(html)
        return found

    async def say(self, words: object) -> None:
        await self.socket.send_to(json.dumps(words))

    async def next(self) -> str:
        return str(await self.socket.receive_from(timeout=30))

    async def quiet(self, seconds: float = 0.5) -> bool:
        return bool(await self.socket.receive_nothing(timeout=seconds))

    async def closed(self) -> int:
        return int((await self.socket.receive_output(timeout=30))["code"])


def played(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's coroutine, and end the broadcast of its loop."""

    async def whole() -> None:
        try:
            await play()
        finally:
            if live.broadcast.task is not None:
                live.broadcast.task.cancel()
                await asyncio.gather(live.broadcast.task, return_exceptions=True)

    async_to_sync(whole)()


def announce(*topics: str) -> None:
    with transaction.atomic():
        live.announce(*topics)


announced = database_sync_to_async(announce)
