"""Which addresses the hub connects to for a contact, and that it is the one that was looked at."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from alerts.notify import addresses, posting
from alerts.notify.failures import DeliveryError
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

INTERNAL = [
    "127.0.0.1", "127.8.8.8", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "168.63.129.16", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", INTERNAL)
def test_internal_addresses_are_known(text: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(text))
    assert addresses.is_internal(f"[{text}]" if ":" in text else text)


@pytest.mark.parametrize("host", ["0x7f000001", "0X7F.1", "2130706433", "0177.0.0.1", "127.1", "10.1", "0"])
def test_other_spellings_of_internal_addresses_are_known(host: str) -> None:
    assert addresses.is_internal(host)


@pytest.mark.parametrize("host", ["134744072", "0x08.8.8.8", "8.8.8.8", "1.example.net", "08.09", "cafe", "4294967296"])
def test_other_spellings_of_public_addresses_and_names_are_not_internal(host: str) -> None:
    assert not addresses.is_internal(host)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_known(text: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "metadata.google.internal", "nas.local"])
def test_names_of_this_network_are_known(host: str) -> None:
    assert addresses.is_internal(host)
    assert not addresses.is_internal("receiver.example.net")


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names have these addresses, at each question the next ones; returns the names that were asked for."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, **_more: Any) -> Any:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_with_an_internal_address_is_refused_for_good(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, ["127.0.0.1"])
    with pytest.raises(DeliveryError) as caught:
        posting.post(f"http://innocent.example.net:{receiver.server_port}/", b"{}", {})
    assert (caught.value.why, caught.value.permanent) == ("internal", True)
    assert receiver.got == []


def test_a_name_that_changes_its_address_is_asked_once(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the address that was looked at is the one that is connected to."""
    asked = resolving(monkeypatch, ["192.0.2.1", "8.8.8.8"], ["127.0.0.1"])
    kept = addresses.usable("rebinding.example.net", receiver.server_port, False)
    assert [where[0] for _family, where in kept] == ["8.8.8.8"]
    assert asked == ["rebinding.example.net"]
    connected: list[str] = []

    def looked_at(address: addresses.Address) -> bool:
        connected.append(str(address))
        return True

    monkeypatch.setattr(addresses, "is_public", looked_at)
    resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    posting.post(f"http://rebinding.example.net:{receiver.server_port}/", b"{}", {})
    assert connected == ["127.0.0.1"]
    assert receiver.got[0].headers["Host"] == f"rebinding.example.net:{receiver.server_port}"


def test_redirects_to_internal_addresses_are_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    with pytest.raises(DeliveryError) as caught:
        posting.post(receiver.url, b"{}", {}, allow_internal=True)
    assert (caught.value.why, caught.value.permanent) == ("redirect:307", True)
    assert len(receiver.got) == 1


def test_a_name_that_does_not_exist_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_more: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DeliveryError) as caught:
        posting.post("https://gone.example.net/t0ken", b"{}", {})
    assert (caught.value.why, caught.value.permanent) == ("name", False)
    assert "t0ken" not in repr(caught.value)


def test_a_proxy_of_the_surroundings_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    posting.post(receiver.url, b"{}", {}, allow_internal=True)
    assert len(receiver.got) == 1


def test_no_tls_where_it_is_asked_for_is_told(receiver: Receiver) -> None:
    with pytest.raises(DeliveryError) as caught:
        posting.post(receiver.url.replace("http:", "https:"), b"{}", {}, allow_internal=True)
    assert caught.value.why in ("cut", "tls")
