"""System checks: every route says who may call it, and settings that contradict each other are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.http.request import validate_host
from django.urls import URLPattern, URLResolver, get_resolver

from pmonitor import access

ACCESS = {*access.ROLES, access.AGENT, access.PUBLIC}
# Routes that are not ours to decorate, and what guards them instead.
GUARDED_OTHERWISE = {"admin/": "pmonitor.admin_site.HubAdminSite.has_permission, around each of its views"}


class Route(NamedTuple):
    """One address of the hub as the resolver knows it."""

    path: str
    view: Callable[..., Any]
    name: str


def routes(resolver: URLResolver | None = None, path: str = "", name: str = "") -> Iterator[Route]:
    """Every route of the hub."""
    for pattern in (resolver or get_resolver()).url_patterns:
        where = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{name}{pattern.namespace}:" if pattern.namespace else name
            yield from routes(pattern, where, inner)
        elif isinstance(pattern, URLPattern):
            yield Route(where, pattern.callback, f"{name}{pattern.name or ''}")


def access_of(view: Callable[..., Any]) -> str | None:
    """Who may call a view: a role, agent or public; None when nothing says so."""
    found = getattr(view, "access", None) or getattr(getattr(view, "cls", None), "access", None)
    return found if found in ACCESS else None


@register(Tags.security)
def every_route_says_who_may_call_it(**kwargs: Any) -> list[CheckMessage]:
    """A view without an access decorator, or an API view whose role nothing enforces, is an error."""
    ours = [route for route in routes() if not route.path.startswith(tuple(GUARDED_OTHERWISE))]
    return [error for route in ours if (error := _bare(route))]


def _bare(route: Route) -> CheckMessage | None:
    who, api = access_of(route.view), getattr(route.view, "cls", None)
    if who is None:
        hint = "Decorate it with one of pmonitor.access, or derive it from ViewerApi or OperatorApi."
        return Error(f"/{route.path} does not say who may call it.", hint=hint, id="pmonitor.E001")
    if api is not None and who in access.ROLES and access.RolePermission not in api.permission_classes:
        return Error(f"/{route.path} names the role {who} and does not ask for it.", id="pmonitor.E002")
    return None


@register(Tags.security)
def settings_fit_together(**kwargs: Any) -> list[CheckMessage]:
    """Combinations that cannot work, or that open a door."""
    return [*_addresses(), *_proxies()]


def _addresses() -> Iterator[CheckMessage]:
    host = urlsplit(settings.HUB_URL).hostname
    if host and not validate_host(host, settings.ALLOWED_HOSTS):
        hint = f"Add {host} to ALLOWED_HOSTS; until then the hub refuses the address it tells to servers."
        yield Error(f"HUB_URL names {host}, ALLOWED_HOSTS does not.", hint=hint, id="pmonitor.E003")
    if settings.SECURE and settings.DEBUG:
        hint = "DEBUG shows settings and source code to whoever meets an error; set it to off."
        yield Warning("DEBUG is on for a hub with an https address.", hint=hint, id="pmonitor.W001")


def _proxies() -> Iterator[CheckMessage]:
    if settings.SECURE and not settings.TRUSTED_PROXIES:
        hint = "Name the network of the proxy that ends TLS; unless it may say so, every page redirects to itself."
        yield Warning("HUB_URL is https and TRUSTED_PROXIES is empty.", hint=hint, id="pmonitor.W002")
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        hint = "Name only the proxy's own network: whoever is in it may claim any address and pass every allow-list."
        yield Warning("TRUSTED_PROXIES trusts every address.", hint=hint, id="pmonitor.W003")
