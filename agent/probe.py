"""The read `probe`: does an address on this machine answer? By HTTP, a GET whose status says so; by TCP, a connection.

Only this machine is asked, and only about a service that its owner lets the hub act on: a hub cannot look around
in a network through its servers. No proxy, no redirect is followed, and nothing of an answer but its status is told.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from agent.allow import SERVICE_VERBS, Allow
from agent.reads import Answer, NoAnswer, Read

MOST_SEC = 4.0  # for connecting and the answer's first line together
_URL_CHARS = 200
_LINE_BYTES = 1_024  # within which a status line ends
_PORTS = {"http": 80, "https": 443, "tcp": None}
_LOOPBACK = ("::1", "127.0.0.1")
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Address(NamedTuple):
    """What is asked for: where, and by HTTP(S) which path; `host` as it was written, without brackets."""

    scheme: str
    host: str
    port: int
    netloc: str
    path: str


class Probe:
    """Answers the reads of kind `probe`."""

    def __init__(self, allow: Allow, most_sec: float = MOST_SEC) -> None:
        self._allow = allow
        self._most_sec = most_sec

    def __call__(self, read: Read) -> Answer:
        """What PROTOCOL.md says of `probe`; raises NoAnswer for what is not to be asked."""
        if not self._allow.verbs(SERVICE_VERBS, read.target):
            raise NoAnswer(
                f"this server's owner lets the hub do nothing with {read.target[:80]!r}, so nothing is probed"
            )
        address = parse(read.args.get("url"))
        hosts = _own(address.host)
        began, seconds = time.monotonic(), min(self._most_sec, read.seconds)
        try:
            ok, said = _look(address, hosts, began + seconds)
        except (TimeoutError, socket.timeout):  # two classes before Python 3.10
            return {"ok": False, "said": f"no answer within {seconds:.3g} s"}
        except ssl.SSLError as error:
            return {"ok": False, "said": f"TLS failed: {error.reason or error}"[:200]}
        except OSError as error:
            return {"ok": False, "said": (error.strerror or str(error) or type(error).__name__).lower()[:200]}
        return {"ok": ok, "said": f"{said} in {(time.monotonic() - began) * 1_000:.0f} ms"}


def parse(url: object) -> Address:
    """The address of a probe; raises NoAnswer naming what is wrong with it."""
    if not isinstance(url, str) or len(url) > _URL_CHARS or not (url.isascii() and url.isprintable()) or " " in url:
        raise NoAnswer(f"url is not an address of at most {_URL_CHARS} characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NoAnswer(f"url: {error}") from error
    if parts.scheme not in _PORTS:
        raise NoAnswer("url begins with none of http://, https:// and tcp://")
    if "@" in parts.netloc or not parts.hostname:
        raise NoAnswer("url names a user, or no host")
    port = port or _PORTS[parts.scheme]
    if port is None:
        raise NoAnswer("url names no port")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, parts.hostname, port, parts.netloc, path)


def _own(host: str) -> tuple[str, ...]:
    """The addresses behind the host, all this machine's own; no name is looked up anywhere."""
    if host == "localhost":
        return _LOOPBACK
    try:
        address = ip_address(host)
        if address.is_loopback or address in _of_interfaces():
            return (host,)
    except ValueError:  # a name
        pass
    raise NoAnswer(f"{host[:80]} is not this machine: only localhost and its own addresses are probed")


def _of_interfaces() -> set[object]:
    listed = [one for addresses in psutil.net_if_addrs().values() for one in addresses]
    return {ip_address(one.address.partition("%")[0]) for one in listed if one.family in _FAMILIES}


def _look(address: Address, hosts: tuple[str, ...], ends: float) -> tuple[bool, str]:
    """Whether it answers well, and what it said; raises OSError where it does not answer."""
    with _connected(hosts, address.port, ends) as plain:
        if plain.getsockname() == plain.getpeername():  # Linux lent it this very port, and it reached itself
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        if address.scheme == "tcp":
            return True, "connected"
        if address.scheme == "http":
            return _status(plain, address, ends)
        plain.settimeout(_left(ends))
        with _unverified().wrap_socket(plain, server_hostname=address.host) as secret:
            return _status(secret, address, ends)


def _connected(hosts: tuple[str, ...], port: int, ends: float) -> socket.socket:
    for host in hosts[:-1]:
        try:
            return socket.create_connection((host, port), _left(ends))
        except OSError:  # it may listen on the other kind of address alone
            continue
    return socket.create_connection((hosts[-1], port), _left(ends))


def _unverified() -> ssl.SSLContext:
    """TLS to oneself: the certificate is made out for other names than localhost, so it is not verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _status(there: socket.socket, address: Address, ends: float) -> tuple[bool, str]:
    """Ask by GET, and read the answer's first line by the end, however slowly it comes."""
    there.settimeout(_left(ends))
    lines = (f"GET {address.path} HTTP/1.1", f"Host: {address.netloc}", "User-Agent: pmonitor-agent", "Accept: */*")
    there.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode("ascii"))
    got = b""
    while b"\n" not in got and len(got) < _LINE_BYTES:
        there.settimeout(_left(ends))
        piece = there.recv(_LINE_BYTES)
        if not piece:
            break
        got += piece
    words = got.partition(b"\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not (words[1].isdigit() and len(words[1]) == 3):
        return False, "an answer that is not HTTP" if got else "closed without an answer"
    return 200 <= int(words[1]) < 400, f"HTTP {int(words[1])}"


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
