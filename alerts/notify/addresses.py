"""Which addresses of receivers the hub connects to: public ones, unless the contact may use internal ones.

Looked at when it connects, and it connects to the very address that was looked at: a name that answers with another
address a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

from alerts.notify.failures import DeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Addresses that count as public and yet are the machine's own cloud, or lead to any IPv4 address
CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
# As getaddrinfo reads IPv4 addresses: 0x7f.1, 2130706433.
NUMBERS = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+)){0,3}")
MOST_TRIED = 3  # addresses of one host


def connect(host: str, port: int, seconds: float, allow_internal: bool) -> socket.socket:
    """A connection to the first address of the host that may be used and answers, within seconds for all.

    Raises DeliveryError.
    """
    last: OSError | None = None
    found = usable(host, port, allow_internal)[:MOST_TRIED]
    for family, where in found:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(seconds / len(found))
        try:
            made.connect(where)
        except OSError as error:
            made.close()
            last = error
        else:
            return made
    raise DeliveryError("timeout" if isinstance(last, TimeoutError) else "refused") from None


def usable(host: str, port: int, allow_internal: bool) -> list[tuple[int, Any]]:
    """The families and socket addresses of a host that may be used. Raises DeliveryError when there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label longer than names may have
        raise DeliveryError("name") from None
    kept: list[tuple[int, Any]] = [
        (family, where)
        for family, _type, _proto, _name, where in found
        if allow_internal or is_public(ipaddress.ip_address(str(where[0]).partition("%")[0]))
    ]
    if not kept:
        raise DeliveryError("internal", permanent=True)
    return kept


def is_internal(host: str) -> bool:
    """Whether a host as it is written, without asking for its addresses, is an internal one."""
    bare = host.strip("[]").rstrip(".").casefold()
    if bare == "localhost" or bare.endswith((".localhost", ".internal", ".local")):
        return True
    try:
        if NUMBERS.fullmatch(bare):
            return not is_public(ipaddress.IPv4Address(socket.inet_aton(bare)))
        return not is_public(ipaddress.ip_address(bare.partition("%")[0]))
    except (OSError, ValueError):  # no address in any spelling: a name
        return False


def is_public(address: Address) -> bool:
    """Whether an address is everybody's: not private, loopback, link-local, multicast, reserved, or a cloud's own."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in CLOUDS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for or leads to."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    old = int(address) >> 32 == 0 and int(address) > 1  # ::192.0.2.1, which nobody uses any more
    if old or any(address in network for network in NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
