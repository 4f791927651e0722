"""Real receivers of notices: an HTTP server that answers as it is told, and a mail server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from pmonitor.env import Mail
from tests.ports import free_port


class Got(NamedTuple):
    """One request."""

    path: str
    headers: Message
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Answers with `status` and `headers`; `how` else: "hang", "cut" in the middle of the answer, "drip" by bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[Got] = []
        self.status, self.headers, self.how = 200, {}, ""  # type: tuple[int, dict[str, str], str]
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook/s3cret"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(Got(self.path, self.headers, body))
        if self.server.how == "hang":
            self.server.over.wait(30)
        if self.server.how == "cut":
            self.wfile.write(b"HTTP/1.1 2")
        elif self.server.how == "drip":
            self._drip()
        else:
            self.send_response(self.server.status)
            for name, value in {"Content-Length": "0", **self.server.headers}.items():
                self.send_header(name, value)
            self.end_headers()
        self.close_connection = True

    def _drip(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end and not self.server.over.is_set():
            self.wfile.write(b"X")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *args: Any) -> None:
        """Nothing: pytest's output is for the tests."""


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver of its own thread."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield receiver
        receiver.over.set()
        receiver.shutdown()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as made:
        yield made


class Post:
    """A mail server's handler; answers: what it says to RCPT and DATA, when it is not "250 OK"."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return self.answers.get("DATA", "250 OK")


class Mailer(NamedTuple):
    """A mail server that runs, and its address as a setting."""

    post: Post
    mail: Mail


@contextmanager
def mail_server(user: str = "", **options: Any) -> Iterator[Mailer]:
    """A mail server; with a user it wants their name and the password "right"."""

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        said = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=said == (user, "right"))

    post = Post()
    if user:
        options |= {"authenticator": authenticate, "auth_required": True}
    port = free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port, **options)
    controller.start()
    yield Mailer(post, Mail("127.0.0.1", port, False, user, "right" if user else ""))
    controller.stop()


@pytest.fixture
def mailer(settings: Any) -> Iterator[Mailer]:
    """The hub's mail server."""
    with mail_server() as made:
        settings.SMTP, settings.SMTP_FROM = made.mail, "Process Monitor <hub@monitor.example.net>"
        yield made
