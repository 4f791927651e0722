"""Django's handler for a hub whose views and middlewares are all synchronous: a request runs in one thread, at one go.

The stock handler runs each middleware that could be asynchronous on the event loop and hops to the thread and back for
it, some twenty times a request: on an idle machine that was most of what a small request took.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, HttpResponseBase


class Handler(ASGIHandler):
    """An ASGI application; what it answers is what the stock one answers."""

    def __init__(self) -> None:
        super().__init__()
        # Each request has a fresh thread: there is no older connection to close in it, and no list of queries to empty.
        # What says so at every start would be one more hop.
        for receiver in (close_old_connections, reset_queries):
            request_started.disconnect(receiver)

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the synchronous chain, whatever the stock handler asks for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The chain's answer, from the request's own thread, where its database connection is."""
        return await sync_to_async(self.get_response)(request)
