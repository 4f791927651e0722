"""The web server: uvicorn, bounded in what it takes, with an end that answers what is under way before it closes."""

from __future__ import annotations

import gc
import signal
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pmonitor import logs, stopping
from pmonitor.plain_asgi import LEFT, App, Receive, Scope, Send

log = logs.get(__name__)

BACKLOG = 2048  # agents that reconnect together after a restart
GRACE_SEC = 4
KEPT_SEC = 75  # an idle connection: agents report each 10 s, and seldom more than a minute apart
HEAD_BYTES = 64_000
BODY_BYTES = 4_000_000  # above every limit of the views, which name theirs
GARBAGE = 20_000, 20, 20  # objects before each look for cycles; a report makes thousands, and leaves none
MESSAGE_BYTES = 1_000_000  # of a browser's socket
TOO_LARGE = {
    "type": "http.response.start",
    "status": 413,
    "headers": [(b"content-length", b"0"), (b"connection", b"close")],
}


class BoundedHead(HttpToolsProtocol):
    """Connections on which a request's lines before its body end within HEAD_BYTES: uvicorn would wait for ever."""

    head: int | None = None  # bytes that came of lines that have not ended

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head is not None:
            self.head += len(data)
            if self.head > HEAD_BYTES:
                self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        self.head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head = None
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:  # it is no WebSocket
            cast(Scope, self.scope)[LEFT] = _has_left(self.cycle)


def _has_left(request: Any) -> Callable[[], bool]:
    """Whether its caller did; without the request itself, which has its scope: two that have each other stay until the
    garbage collector comes, and there would be one such pair for each report."""
    known = weakref.ref(request)
    return lambda: (there := known()) is None or bool(there.disconnected)


class BoundedBody:
    """An ASGI application that answers 413 past BODY_BYTES; Django would write all of such a body to the disk."""

    def __init__(self, hub: App) -> None:
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.hub(scope, receive, send)
            return
        came = 0

        async def bounded() -> dict[str, Any]:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came <= BODY_BYTES:
                return message
            await send(TOO_LARGE)
            await send({"type": "http.response.body"})
            return {"type": "http.disconnect"}

        async def unless_refused(message: dict[str, Any]) -> None:
            if came <= BODY_BYTES:
                await send(message)

        await self.hub(scope, bounded, unless_refused)


def keep_start() -> None:
    """What the start leaves stays for life: looking through it held up all threads for 60 ms each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


class Web(uvicorn.Server):
    """Serves an ASGI application on one address until SIGTERM or SIGINT."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        self.address = host.strip("[]"), port
        super().__init__(
            uvicorn.Config(
                BoundedBody(application),
                http=BoundedHead,
                ws="websockets-sansio",
                ws_max_size=MESSAGE_BYTES,
                ws_per_message_deflate=False,  # each page's messages would be packed for it alone
                lifespan="off",
                loop="asyncio",
                log_config=None,
                access_log=False,  # client.py writes one
                proxy_headers=False,  # client.py reads them
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEPT_SEC,
                timeout_graceful_shutdown=GRACE_SEC,
            )
        )

    def listen(self) -> socket.socket:
        """Take the address; raises OSError."""
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        return socket.create_server(self.address, family=family, backlog=BACKLOG)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped."""
        keep_start()
        super().run(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """While serving they end it; uvicorn would raise them again at its end, and `serve` has more to do."""
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, let requests end, then cancel what is left."""
        stopping.begin()
        under_way = len(self.server_state.tasks)
        await super().shutdown(sockets)
        log.info("web.stopped", requests=under_way, cut=len(self.server_state.tasks))
