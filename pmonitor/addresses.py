"""The addresses a hub that runs straight on this machine is reached at."""

from __future__ import annotations

import errno
import ipaddress
import socket

import psutil

ANY = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not listened on


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on the host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def url(host: str, port: int) -> str:
    """The address of a hub that listens on the host, as this machine reaches it."""
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://{_bracketed(here)}:{port}"


def url_for_servers(host: str, port: int) -> str:
    """The same as other machines reach it: by the address of the interface that leads out."""
    return f"http://{_bracketed(_outward() if host in ANY else host)}:{port}"


def own_names() -> list[str]:
    """Every name and address of this machine that a browser may put into the Host header."""
    names = ["localhost", socket.gethostname(), socket.getfqdn(), f"{socket.gethostname()}.local"]
    for interface in psutil.net_if_addrs().values():
        names += [_bracketed(a.address) for a in interface if a.family in (socket.AF_INET, socket.AF_INET6)]
    return sorted({name.split("%")[0] for name in names})


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there. Raises OSError where the host is none of this machine's addresses."""
    family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _outward() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks the routing table
        except OSError:
            return socket.gethostname()
        address: str = probe.getsockname()[0]
    return address
