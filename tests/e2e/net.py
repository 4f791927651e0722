"""The net between an agent and its hub, where a test can pull the cable or lose an answer on its way back."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import requests


class Net:
    """Carries calls to the hub's address; use as a context manager, and give the agent `address`."""

    def __init__(self, hub: str) -> None:
        self.hub = hub
        self.cut = False
        self.lost: list[str] = []  # what was lost so far: the ends of paths
        self._losing: list[str] = []
        net = self

        class Handler(_Handler):
            carrier = net

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Net:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def lose_answer(self, end: str) -> None:
        """The hub gets the next call whose path ends so, and its answer never arrives."""
        self._losing.append(end)

    def loses(self, path: str, answer: requests.Response) -> bool:
        """Whether this answer is one to lose; an empty answer is not worth it."""
        for end in self._losing:
            if path.partition("?")[0].endswith(end) and answer.status_code == 200:
                self._losing.remove(end)
                self.lost.append(end)
                return True
        return False


class _Handler(BaseHTTPRequestHandler):
    carrier: Net
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._carry(None)

    def do_POST(self) -> None:
        self._carry(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _carry(self, body: bytes | None) -> None:
        net = self.carrier
        self.close_connection = True
        if net.cut:
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        try:
            answer = requests.request(self.command, net.hub + self.path, data=body, headers=headers, timeout=60)
        except requests.RequestException:
            return
        if net.cut or net.loses(self.path, answer):
            return
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Retry-After"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        if answer.status_code != 204:
            self.send_header("Content-Length", str(len(answer.content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.content)
