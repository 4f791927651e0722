"""Who asks: the address behind trusted proxies, the scheme they used, and an id for the request in every log line."""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.http.request import split_domain_port, validate_host

from pmonitor import logs

log = logs.get(__name__)
SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
FREQUENT = re.compile(r"/static/|/healthz$|/readyz$|/metrics$|/api/agents/[^/]+/metrics$")  # logged at debug only
SCHEME = "pmonitor.scheme"  # in META, where no header can write it; settings.SECURE_PROXY_SSL_HEADER reads it


class ClientMiddleware:
    """Names each request, logs how it ended, and lets only trusted proxies say that it came over TLS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started, number = time.perf_counter(), request_id(request.META.get("HTTP_X_REQUEST_ID", ""))
        logs.clear()
        logs.bind(request=number)
        if _is_trusted(_peer(request)) and request.META.get("HTTP_X_FORWARDED_PROTO"):
            request.META[SCHEME] = request.META["HTTP_X_FORWARDED_PROTO"]
        response = self.get_response(request)
        response["X-Request-ID"] = number
        took = time.perf_counter() - started
        tell(request.method or "", request.path, response.status_code, took, address(request))
        return response


def request_id(offered: str) -> str:
    """The caller's id when it is a sane one (8 to 64 letters, digits, . _ -), else a new one."""
    return offered if SANE_ID.fullmatch(offered) else secrets.token_hex(16)


def address(request: HttpRequest) -> str:
    """The client's IP address: the peer's, or the one a trusted proxy says it forwards for; "" when unknown."""
    return behind_proxies(_peer(request), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def address_of_scope(scope: dict[str, Any]) -> str:
    """The same as address(), of an ASGI scope."""
    hops = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return behind_proxies((scope.get("client") or ("",))[0], ",".join(hops))


def passes(scope: dict[str, Any], headers: dict[bytes, bytes]) -> bool:
    """Whether an ASGI request names this hub and came over TLS where it must; else Django's middlewares answer it."""
    if not _is_ours(headers.get(b"host", b""), tuple(settings.ALLOWED_HOSTS)):
        return False
    return not settings.SECURE_SSL_REDIRECT or _scheme(scope, headers) == "https"


@lru_cache(maxsize=256)
def _is_ours(host: bytes, allowed: tuple[str, ...]) -> bool:
    return validate_host(split_domain_port(host.decode("latin-1"))[0], allowed)


def _scheme(scope: dict[str, Any], headers: dict[bytes, bytes]) -> str:
    said = headers.get(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip()
    peer = (scope.get("client") or ("",))[0]
    return said if said and _is_trusted(peer) else str(scope.get("scheme", "http"))


def behind_proxies(peer: str, forwarded: str) -> str:
    """The right-most hop of X-Forwarded-For that is no trusted proxy; without a trusted peer, the peer."""
    client = parse(peer)
    for hop in reversed(forwarded.split(",")):
        if client is None or not _trusts(client):
            break
        before = parse(hop)
        if before is None:
            break  # what stands left of something we cannot read, nobody we trust has written
        client = before
    return "" if client is None else str(client)


@lru_cache(maxsize=16_384)
def parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address out of "10.0.0.1", "10.0.0.1:443", "[2001:db8::1]:443", "::ffff:10.0.0.1"; None when it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.version == 6 and found.ipv4_mapped) or found


def _peer(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def _is_trusted(peer: str) -> bool:
    found = parse(peer)
    return found is not None and _trusts(found)


def _trusts(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(found in network for network in settings.TRUSTED_PROXIES)


def tell(method: str, path: str, status: int, seconds: float, caller: str) -> None:
    """One line a request. The path without its query: what people search for is theirs."""
    write = log.debug if FREQUENT.search(path) and status < 400 else log.info
    write("request", method=method, path=path, status=status, ms=round(seconds * 1000, 1), address=caller)
