"""The agent's calls, to real sockets: who vouches for the hub, proxies, and what no hub answers."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent import config
from agent.hub import Hub, Unreachable
from agent.hubclock import HubClock

Make = Callable[..., Hub]


class Server(ThreadingHTTPServer):
    """Notes each request's line and connection, and answers 202."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.connections: list[Any] = []
        self.answer = b'{"intervalSec": 10}'
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not like the certificate hangs up."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.requestline)
        self.server.tokens.append(self.headers.get("X-Agent-Token"))
        self.server.connections.append(self.client_address)
        self.send_response(202)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running
        running.shutdown()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """One that vouches for itself, for 127.0.0.1 alone; and its key."""
    crt, key = tmp_path / "crt.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, *names, "-keyout", key, "-out", crt], check=True, capture_output=True)
    return crt, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Server(context) as running:
        yield running
        running.shutdown()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def made(api: str, **settings: str) -> Hub:
        environ = {"API": api, "AGENT_ID": "srv-1", "STATE_DIR": str(tmp_path), **settings}
        hub = Hub(config.load(environ), HubClock())
        hub.use_token("a-token")
        return hub

    return made


def test_calls_share_a_connection_and_carry_the_token(server: Server, make: Make) -> None:
    hub = make(f"http://127.0.0.1:{server.server_port}/below")
    assert [hub.report(b"{}" * count).status for count in (1, 1000)] == [202, 202]
    assert server.asked == ["POST /below/api/agents/srv-1/metrics HTTP/1.1"] * 2
    assert server.tokens == ["a-token"] * 2
    assert len(set(server.connections)) == 1


def test_a_hub_that_its_owner_vouches_for_is_believed(tls: Server, make: Make, certificate: tuple[Path, Path]) -> None:
    hub = make(f"https://127.0.0.1:{tls.server_port}", CA_FILE=str(certificate[0]))
    assert hub.report(b"{}").body == {"intervalSec": 10}


def test_a_hub_that_nobody_vouches_for_hears_no_token(tls: Server, make: Make) -> None:
    with pytest.raises(Unreachable, match="certificate verify failed"):
        make(f"https://127.0.0.1:{tls.server_port}").report(b"{}")
    assert not tls.tokens


def test_a_certificate_for_another_name_is_not_believed(
    tls: Server, make: Make, certificate: tuple[Path, Path]
) -> None:
    with pytest.raises(Unreachable, match="localhost"):
        make(f"https://localhost:{tls.server_port}", CA_FILE=str(certificate[0])).report(b"{}")
    assert not tls.tokens


def test_nothing_of_the_surroundings_vouches_for_a_hub(
    tls: Server, make: Make, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate[0]))
    with pytest.raises(Unreachable, match="certificate verify failed"):
        make(f"https://127.0.0.1:{tls.server_port}").report(b"{}")


def test_a_proxy_is_told_the_whole_address(server: Server, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    assert make("http://hub.example.org").report(b"{}").status == 202
    assert server.asked == ["POST http://hub.example.org/api/agents/srv-1/metrics HTTP/1.1"]


def test_a_proxy_is_not_asked_about_a_hub_it_is_not_for(
    server: Server, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert make(f"http://127.0.0.1:{server.server_port}").report(b"{}").status == 202


def test_an_endless_answer_is_none_and_the_next_call_is_answered(server: Server, make: Make) -> None:
    hub = make(f"http://127.0.0.1:{server.server_port}")
    server.answer = b" " * ((1 << 20) + 1)
    with pytest.raises(Unreachable, match="longer than 1 MB"):
        hub.report(b"{}")
    server.answer = b"{}"
    assert hub.report(b"{}").status == 202


def test_where_nobody_listens_it_is_said_why(make: Make) -> None:
    with pytest.raises(Unreachable, match="refused"):
        make("http://127.0.0.1:1").report(b"{}")
