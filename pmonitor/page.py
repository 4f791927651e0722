"""What every page shows around its own content. No query but for the user's role, and what stands beside a place."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from pmonitor import access
from pmonitor.templatetags import show

THEME_COOKIE = "theme"
THEMES = ("light", "dark")  # without the cookie: the system's


class Place(NamedTuple):
    """A place in the main navigation; every page of its app belongs to it."""

    route: str
    word: Any
    icon: str
    keys: str  # what goes there from the keyboard


NAV = (
    Place("servers:fleet", pgettext_lazy("navigation", "Fleet"), "fleet", "g f"),
    Place("servers:processes", _("Processes"), "process", "g p"),
    Place("incidents:list", pgettext_lazy("navigation", "Alerts"), "bell", "g a"),
    Place("rollouts:list", _("Rollouts"), "rollout", "g r"),
    Place("schedules:list", _("Schedules"), "clock", "g s"),
    Place("actions:audit", _("Audit"), "audit", "g u"),
)
# What stands beside a place's word, as to who looks: route -> (user) -> HTML. An app adds its own in AppConfig.ready.
BESIDE: dict[str, Callable[[Any], SafeString]] = {}
UNDER = {"servers/": "servers:fleet", "alerts/": "incidents:list"}  # whose app is not its place's
LANGUAGE_NAMES = (("en", "English"), ("ro", "Română"))  # each in its own language
ROLE_WORDS = {access.VIEWER: _("viewer"), access.OPERATOR: _("operator"), access.ADMIN: _("admin")}


def page(request: HttpRequest) -> dict[str, Any]:
    """The context of base.html: who looks, in which theme and language, where they can go, and the hub's clock."""
    user = getattr(request, "user", None)
    role = access.role_of(user) if user is not None else None
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "role": role,
        "role_word": ROLE_WORDS.get(role or "", ""),
        "version": settings.VERSION,
        "language": get_language(),
        "theme": theme if theme in THEMES else "",
        "other_language": next((pair for pair in LANGUAGE_NAMES if pair[0] != get_language()), None),
        "nav": [_entry(request, place) for place in NAV] if role else [],
        "now_ms": int(time.time() * 1000),
        "units": " ".join(show.unit_words().values()),
    }


def _entry(request: HttpRequest, place: Place) -> dict[str, Any]:
    match = request.resolver_match
    here = match.view_name if match else ""
    under = [place for path, place in UNDER.items() if match and match.route.startswith(path)]
    part = under[0] if under else _place_of(here)
    current = "page" if here == place.route else "true" if part == _place_of(place.route) else ""
    beside = partial(BESIDE[place.route], request.user) if place.route in BESIDE else ""  # asked only where it is shown
    return {**place._asdict(), "url": reverse(place.route), "current": current, "beside": beside}


def _place_of(route: str) -> str:
    """The place a route is, or else the first one of its app."""
    routes = [place.route for place in NAV]
    app = route.split(":")[0]
    return route if route in routes else next((one for one in routes if one.split(":")[0] == app), "")
