"""The web server itself, as a process: what it takes, what it refuses, how it ends."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pmonitor import web
from tests.actions.web_process import ROOT, WebProcess, web_process
from tests.patience import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)
POST = "POST /api/agents/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def hub(django_db_setup: None, django_db_blocker: object) -> Iterator[WebProcess]:
    """One process for all of them; the last test ends it."""
    with django_db_blocker.unblock(), web_process() as process:  # type: ignore[attr-defined]
        yield process


def connected(hub: WebProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", hub.port), 10 * PATIENCE)


def answered(line: socket.socket) -> bytes:
    """All that comes until the hub closes the connection."""
    came = b""
    try:
        while piece := line.recv(65_536):
            came += piece
    except ConnectionResetError:  # it was still being sent to
        pass
    return came


@pytest.mark.parametrize("length", [f"Content-Length: {10 * web.BODY_BYTES}", "Transfer-Encoding: chunked"])
def test_an_endless_body_is_cut_off(hub: WebProcess, length: str) -> None:
    piece = b"x" * 100_000
    chunk = piece if length.startswith("Content") else b"%x\r\n%b\r\n" % (len(piece), piece)
    sent = 0
    with connected(hub) as line:
        line.sendall(f"{POST}{length}\r\n\r\n".encode())
        try:
            while sent < 10 * web.BODY_BYTES:
                line.sendall(chunk)
                sent += len(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass
        said = answered(line)
    assert sent < 10 * web.BODY_BYTES
    assert not said or said.startswith(b"HTTP/1.1 413 ")


def test_a_body_just_above_the_bound_is_told_so(hub: WebProcess) -> None:
    with connected(hub) as line:
        line.sendall(f"{POST}Content-Length: {web.BODY_BYTES + 1}\r\n\r\n".encode() + b"x" * (web.BODY_BYTES + 1))
        assert answered(line).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("begin", [b"GET /" + b"a" * 1000, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "])
def test_an_endless_head_is_cut_off(hub: WebProcess, begin: bytes) -> None:
    with connected(hub) as line:
        line.sendall(begin)
        sent = 0
        try:
            while sent < 50 * web.HEAD_BYTES:
                line.sendall(b"a" * 10_000)
                sent += 10_000
        except (ConnectionResetError, BrokenPipeError):
            pass
        answered(line)
    assert sent < 50 * web.HEAD_BYTES


def test_what_is_no_http_gets_400(hub: WebProcess) -> None:
    with connected(hub) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert answered(line).startswith(b"HTTP/1.1 400 ")


def test_several_requests_go_over_one_connection(hub: WebProcess) -> None:
    line = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10 * PATIENCE)
    line.connect()
    begun = line.sock
    for _ in range(3):
        line.request("GET", "/healthz")
        assert line.getresponse().read() == b"ok"
    assert line.sock is begun
    line.close()


def test_a_taken_port_is_said_in_a_sentence(hub: WebProcess) -> None:
    argv = [sys.executable, "manage.py", "serve", "--no-worker", "--port", str(hub.port)]
    second = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1, port {hub.port}: Address already in use." in second.stderr
    assert "Traceback" not in second.stderr


def test_a_stopped_process_ends_by_itself(hub: WebProcess) -> None:
    idle = connected(hub)
    hub.process.send_signal(signal.SIGTERM)
    assert hub.process.wait(60 * PATIENCE) == 0
    assert answered(idle) == b""
    idle.close()
