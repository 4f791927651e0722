"""The web server: daphne, with an end that answers what is under way before it closes."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from daphne import http_protocol, server
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.defer import Deferred

from pmonitor import logs, stopping

log = logs.get(__name__)

BACKLOG = 2048  # agents that reconnect together after a restart
GRACE_SEC = 4.0
BODY_BYTES = 4_000_000  # above every limit of the views, which name theirs
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class BoundedRequest(http_protocol.WebRequest):
    """A request whose body is cut off past BODY_BYTES: daphne would hold all of it in memory before it asks a view."""

    came = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._parsePOSTFormSubmission = False  # Django parses forms; a look at each Content-Type takes 0.1 ms

    def handleContentChunk(self, data: bytes) -> None:
        self.came += len(data)
        if self.came <= BODY_BYTES:
            super().handleContentChunk(data)
        elif self.came - len(data) <= BODY_BYTES:
            self.channel.transport.write(TOO_LARGE)
            self.channel.loseConnection()


class QuietFactory(http_protocol.HTTPFactory):
    """Writes no access log: client.py does. Twisted would format each line, and then throw it away."""

    def log(self, request: Any) -> None:
        pass


http_protocol.WebRequest = BoundedRequest  # daphne has no other way to say it
server.HTTPFactory = QuietFactory


class Web(Server):
    """Serves an ASGI application on one address until SIGTERM or SIGINT."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        self.problem = ""  # why it could not listen
        whole = BODY_BYTES + 1  # a body reaches the application in one piece
        address = [endpoint(host, port)]
        super().__init__(application, address, request_buffer_size=whole, verbosity=0, server_name="")

    def run(self) -> None:
        """Serve until stopped.

        What the start leaves stays for life: looking through it held up all threads for 60 ms each time.
        """
        gc.collect()
        gc.freeze()
        super().run()

    def listen_error(self, failure: Any) -> None:
        self.problem = failure.getErrorMessage()
        self.stop()

    def kill_all_applications(self) -> Deferred[None]:
        """Daphne's hook before the reactor ends: close the door, let requests end, then cancel what is left."""
        for listener in self.listeners:
            listener.addCallback(lambda port: port and port.stopListening())
        stopping.begin()
        return Deferred.fromFuture(asyncio.ensure_future(self._finish()))

    async def _finish(self) -> None:
        requests: set[asyncio.Future[None]] = set()
        sockets: set[asyncio.Future[None]] = set()
        for protocol, details in self.connections.items():
            if running := details.get("application_instance"):
                (sockets if isinstance(protocol, WebSocketProtocol) else requests).add(running)
        for socket in sockets:
            socket.cancel()  # the browser sees a lost connection, and comes back by itself
        late = (await asyncio.wait(requests, timeout=GRACE_SEC))[1] if requests else set()
        for request in late:
            request.cancel()
        if late or sockets:
            await asyncio.wait(late | sockets, timeout=1)
        log.info("web.stopped", requests=len(requests), cut=len(late), sockets=len(sockets))


def endpoint(host: str, port: int) -> str:
    """The address in Twisted's words."""
    interface = host.strip("[]").replace(":", r"\:")
    return f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"
