"""The client's address, scheme and request id: only trusted proxies are believed."""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from pmonitor import client, logs

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.fixture(autouse=True)
def _proxies(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = PROXIES


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger says whom it forwards for
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # the left-most is what the client itself sent
        ("10.0.0.1", "198.51.100.1, 10.2.3.4", "198.51.100.1"),
        ("10.0.0.1", "10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "unknown, 10.2.3.4", "10.2.3.4"),
        ("10.0.0.1", "<script>", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_address_is_the_last_hop_no_trusted_proxy_wrote(peer: str, forwarded: str, address: str) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    assert client.address(request) == address
    scope = {"headers": [(b"x-forwarded-for", forwarded.encode())] if forwarded else [], "client": (peer, 5)}
    assert client.address_of_scope(scope) == address


def test_repeated_headers_of_a_scope_are_one_list() -> None:
    headers = [(b"x-forwarded-for", b"192.0.2.66"), (b"host", b"h"), (b"x-forwarded-for", b"198.51.100.1")]
    assert client.address_of_scope({"headers": headers, "client": ("10.0.0.1", 1)}) == "198.51.100.1"


def answered(request: HttpRequest) -> HttpResponse:
    response = client.ClientMiddleware(scheme)(request)
    assert isinstance(response, HttpResponse)
    return response


def scheme(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secure" if request.is_secure() else "plain")


@pytest.mark.parametrize(("peer", "said"), [("10.0.0.1", b"secure"), ("203.0.113.9", b"plain")])
def test_only_a_trusted_proxy_says_that_it_came_over_tls(peer: str, said: bytes) -> None:
    request = RequestFactory().get("/", headers={"X-Forwarded-Proto": "https"}, REMOTE_ADDR=peer)
    assert answered(request).content == said


def test_no_header_reaches_the_key_that_says_tls() -> None:
    request = RequestFactory().get("/", headers={"pmonitor.scheme": "https", "Pmonitor-Scheme": "https"})
    assert answered(request).content == b"plain"


@pytest.mark.parametrize(
    ("offered", "kept"), [("abcd-1234.x_Y", True), ("short", False), ("x" * 65, False), ("a\nb 12345", False)]
)
def test_a_sane_request_id_is_kept_and_another_replaced(offered: str, kept: bool) -> None:
    response = answered(RequestFactory().get("/", headers={"X-Request-ID": offered}))
    assert (response["X-Request-ID"] == offered) is kept
    assert client.SANE_ID.fullmatch(response["X-Request-ID"])


@pytest.fixture
def logging_put_back() -> Iterator[None]:
    """What configures logging within a test writes to a stream that ends with it."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers = before


@pytest.mark.usefixtures("logging_put_back")
def test_lines_of_a_request_carry_its_id_and_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        logs.get("somewhere").info("thing.happened")
        return HttpResponse()

    logs.configure("json", "INFO")  # onto the captured stderr
    headers = {"X-Request-ID": "request-0001", "Authorization": "Bearer pmu_hidden", "X-Agent-Token": "pma_hidden"}
    request = RequestFactory().post("/login/?next=hidden", {"password": "hidden"}, headers=headers)
    client.ClientMiddleware(view)(request)
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["thing.happened", "request"]
    assert {line["request"] for line in lines} == {"request-0001"}
    assert (lines[1]["path"], lines[1]["status"], lines[1]["address"]) == ("/login/", 200, "127.0.0.1")
    assert "hidden" not in text
