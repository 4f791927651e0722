"""XML-RPC over a unix socket."""

from __future__ import annotations

import http.client
import re
import socket
import xmlrpc.client
from collections.abc import Sequence
from typing import Any

Fault = xmlrpc.client.Fault
ERRORS = (OSError, http.client.HTTPException, xmlrpc.client.Error)  # what `call` raises but for that
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def call(path: str, method: str, arguments: Sequence[object], seconds: float) -> Any:
    """What the method answers within so many seconds; a call is a connection. Raises Fault and ERRORS."""
    # supervisord ends each connection's keep-alive itself.
    server = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(path, seconds))
    try:
        return getattr(server, method)(*arguments)
    finally:
        server("close")()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__()
        self._path = path
        self._seconds = seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path, self._seconds)

    def parse_response(self, response: http.client.HTTPResponse) -> Any:
        """What programs print may hold characters that XML cannot: they are made visible."""
        parser, unmarshaller = self.getparser()
        parser.feed(_CONTROLS.sub(lambda found: chr(0x2400 + found.group()[0]).encode(), response.read()))
        parser.close()
        return unmarshaller.close()
