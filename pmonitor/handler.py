"""Django's handler for a hub whose views and middlewares are all synchronous: a request runs in one thread, at one go.

The stock handler runs each middleware that could be asynchronous on the event loop and hops to the thread and back for
it, some twenty times a request: on an idle machine that was most of what a small request took. And it starts a thread
for each request, and another one to wait for its end.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, HttpResponseBase

IDLE_MOST = 20  # threads kept for the next requests; more are started as requests come together, and end with them


class Handler(ASGIHandler):
    """An ASGI application; what it answers is what the stock one answers."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: deque[ThreadPoolExecutor] = deque()  # each of one thread
        for receiver in (close_old_connections, reset_queries):
            request_started.disconnect(receiver)  # a hop before each request; _left does it after each instead

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, all of it in one thread that no other request uses meanwhile."""
        thread = self.idle.pop() if self.idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:
            # Behind whatever is still at work there for a client that has left.
            thread.submit(_left).add_done_callback(lambda _done: self._keep(thread))

    def _keep(self, thread: ThreadPoolExecutor) -> None:
        if len(self.idle) < IDLE_MOST:
            self.idle.append(thread)
        else:
            thread.shutdown(wait=False)

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the synchronous chain, whatever the stock handler asks for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The chain's answer, from the request's own thread, where its database connection is."""
        return await sync_to_async(self.get_response)(request)


def _left() -> None:
    close_old_connections()
    reset_queries()
