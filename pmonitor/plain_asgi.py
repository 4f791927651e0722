"""Calls that stand as plain ASGI in front of Django's handler: how they answer, and how they ask the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.db import close_old_connections

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LEFT = "pmonitor.left"  # in the scope of a call: whether its caller closed the connection, without waiting to be told
P = ParamSpec("P")
T = TypeVar("T")


class Left(Exception):
    """The caller closed its connection."""


async def answer(send: Send, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
    """Answer with the content as JSON; with nothing when it is None."""
    body = b"" if content is None else msgspec.json.encode(content)
    named = {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}
    if status != 204:
        named["Content-Length"] = str(len(body))  # else it is sent in chunks
    lines = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the work returns, done in a thread of its own."""

    def done() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()  # no request ends here to give the thread's connection back to the pool

    return await sync_to_async(done, thread_sensitive=False)()
