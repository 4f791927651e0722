"""The read `probe`: whether an address on this machine answers, over real sockets; no other machine is asked."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from agent.allow import Allow
from agent.probe import Probe
from agent.reads import NoAnswer, Read
from tests.agent.conftest import AgentStarter
from tests.agent.toyhub import ToyHub
from tests.ports import free_port

OWNER = Allow("restart:web.service")
Serve = Callable[..., int]


def probe(url: Any, target: str = "web.service", most_sec: float = 4.0) -> dict[str, Any]:
    return Probe(OWNER, most_sec)(Read("1", "probe", target, {"url": url}, 9.0))


@pytest.fixture
def heard() -> list[bytes]:
    """The requests that came."""
    return []


@pytest.fixture
def serve(heard: list[bytes]) -> Iterator[Serve]:
    """Answers each connection to a port by these bytes, and closes it unless told otherwise; the port."""
    with ExitStack() as ends:
        done = threading.Event()
        ends.callback(done.set)

        def serving(
            answer: bytes, closes: bool = True, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
        ) -> int:
            listening = ends.enter_context(socket.create_server((host, 0), family=_family(host)))

            def run() -> None:
                while True:
                    try:
                        there, _address = listening.accept()
                        if tls:
                            there = tls.wrap_socket(there, server_side=True)
                        with there:
                            heard.append(there.recv(4096))
                            there.sendall(answer)
                            if not closes:
                                done.wait(30)
                    except OSError:
                        if done.is_set():
                            return

            threading.Thread(target=run, daemon=True).start()
            ends.callback(listening.shutdown, socket.SHUT_RDWR)
            return int(listening.getsockname()[1])

        yield serving


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def status(line: str) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nok".encode()


@pytest.mark.parametrize(
    ("line", "ok", "said"),
    [
        ("200 OK", True, "HTTP 200 in "),
        ("204 No Content", True, "HTTP 204 in "),
        ("302 Found\r\nLocation: http://192.0.2.1/", True, "HTTP 302 in "),
        ("404 Not Found", False, "HTTP 404 in "),
        ("503 Service Unavailable", False, "HTTP 503 in "),
    ],
)
def test_the_status_says_whether_it_is_well(serve: Serve, heard: list[bytes], line: str, ok: bool, said: str) -> None:
    told = probe(f"http://127.0.0.1:{serve(status(line))}/health?deep=1")
    assert told["ok"] is ok
    assert told["said"].startswith(said)
    assert len(heard) == 1, "no redirect is followed"
    assert heard[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_is_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{serve(status('502 Bad Gateway'))}")
    assert probe(f"http://localhost:{serve(status('200 OK'))}")["ok"]


def test_a_certificate_for_another_name_is_no_obstacle(serve: Serve, tmp_path: Path) -> None:
    key, crt = tmp_path / "key.pem", tmp_path / "crt.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run(
        [*made, "-subj", "/CN=shop.example.org", "-keyout", key, "-out", crt], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    assert probe(f"https://127.0.0.1:{serve(status('200 OK'), tls=context)}/")["ok"]


def test_plain_http_where_tls_was_expected_is_said(serve: Serve) -> None:
    told = probe(f"https://127.0.0.1:{serve(status('400 Bad Request'))}/")
    assert not told["ok"]
    assert told["said"].startswith("TLS failed: ")


def test_tcp_connects_and_that_is_all(serve: Serve) -> None:
    told = probe(f"tcp://127.0.0.1:{serve(b'', closes=False)}")
    assert told["ok"]
    assert told["said"].startswith("connected in ")


@pytest.mark.parametrize("scheme", ["http", "https", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_where_nobody_listens_it_is_refused(scheme: str, host: str) -> None:
    assert probe(f"{scheme}://{host}:{free_port()}") == {"ok": False, "said": "connection refused"}


def test_a_connection_that_reached_itself_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    itself = socket.socket()
    itself.bind(("127.0.0.1", 0))
    itself.connect(itself.getsockname())
    monkeypatch.setattr(socket, "create_connection", lambda *_: itself)
    assert probe(f"tcp://127.0.0.1:{itself.getsockname()[1]}") == {"ok": False, "said": "connection refused"}


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK"])
def test_what_does_not_answer_in_time_is_not_waited_for(serve: Serve, answer: bytes) -> None:
    told = probe(f"http://127.0.0.1:{serve(answer, closes=False)}/", most_sec=0.2)
    assert told == {"ok": False, "said": "no answer within 0.2 s"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "an answer that is not HTTP"),
        (b"HTTP/1.1 fine\r\n", "an answer that is not HTTP"),
        (b"x" * 100_000, "an answer that is not HTTP"),
    ],
)
def test_what_is_no_http_is_said(serve: Serve, answer: bytes, said: str) -> None:
    told = probe(f"http://127.0.0.1:{serve(answer)}/")
    assert not told["ok"]
    assert told["said"].startswith(said)


def test_localhost_is_either_kind_of_address(serve: Serve) -> None:
    try:
        port = serve(status("200 OK"), host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    assert probe(f"http://localhost:{port}/")["ok"]
    assert probe(f"http://[::1]:{port}/")["ok"]


def test_one_of_its_own_addresses_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    own = SimpleNamespace(family=socket.AF_INET, address="192.0.2.5")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [own]})
    asked: list[Any] = []

    def refuse(address: Any, _seconds: float) -> None:
        asked.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert probe("tcp://192.0.2.5:80") == {"ok": False, "said": "connection refused"}
    assert asked == [("192.0.2.5", 80)]


@pytest.mark.parametrize(
    "host",
    ["192.0.2.1", "10.0.0.1", "169.254.169.254", "0", "224.0.0.1", "255.255.255.255", "[2001:db8::1]", "[::]",
     "[::ffff:192.0.2.1]", "example.org", "localhost.example.org", "127.0.0.1.example.org", "2130706433"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https", "tcp"])
def test_no_other_machine_is_asked(monkeypatch: pytest.MonkeyPatch, scheme: str, host: str) -> None:
    for way in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, way, lambda *_: pytest.fail("it went out"))
    with pytest.raises(NoAnswer, match="is not this machine: only localhost and its own addresses are probed"):
        probe(f"{scheme}://{host}:80/")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "is not an address"),
        (["http://127.0.0.1/"], "is not an address"),
        ("http://127.0.0.1/" + "x" * 200, "is not an address"),
        ("http://127.0.0.1/ HTTP/1.1\r\nX: y", "is not an address"),
        ("http://127.0.0.1/a b", "is not an address"),
        ("http://127.0.0.1/é", "is not an address"),
        ("file:///etc/passwd", "begins with none of"),
        ("127.0.0.1:80", "begins with none of"),
        ("http://u:p@127.0.0.1/", "names a user"),
        ("http:///health", "or no host"),
        ("tcp://127.0.0.1", "names no port"),
        ("tcp://127.0.0.1:99999", "url: "),
        ("http://[::1/", "url: "),
    ],
)
def test_what_is_no_address_is_said(url: Any, said: str) -> None:
    with pytest.raises(NoAnswer, match=said):
        probe(url)


def test_where_the_owner_allows_nothing_nothing_is_asked() -> None:
    with pytest.raises(NoAnswer, match=r"lets the hub do nothing with 'db\.service'"):
        probe("tcp://127.0.0.1:5432", target="db.service")


def test_an_agent_names_the_feature_and_answers(hub: ToyHub, start_agent: AgentStarter, serve: Serve) -> None:
    start_agent(ALLOW="restart:web.service")
    hub.wait_for(lambda: hub.reports)
    assert "probe" in hub.reports[0]["features"]
    hub.read(1, "probe", target="web.service", args={"url": f"http://127.0.0.1:{serve(status('200 OK'))}/"})
    hub.wait_for(lambda: hub.answers)
    assert hub.answers[0][1]["answer"]["ok"] is True
