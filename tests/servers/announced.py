"""What is announced to live pages, read from the real channel layer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from pmonitor import live

Announced = Callable[[], set[str]]


@pytest.fixture
def announced() -> Iterator[Announced]:
    """Call it for the topics announced since the last call; what waits for a commit is not among them."""
    layer = get_channel_layer()

    async def join() -> str:
        channel: str = await layer.new_channel()
        await layer.group_add(live.EVENTS, channel)
        return channel

    async def drain(channel: str) -> set[str]:
        topics: set[str] = set()
        while True:
            try:
                topics |= set((await asyncio.wait_for(layer.receive(channel), 0.05))["topics"])
            except TimeoutError:
                return topics

    channel = async_to_sync(join)()
    yield lambda: async_to_sync(drain)(channel)
    async_to_sync(layer.flush)()
