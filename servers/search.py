"""What the palette finds: servers and services by name, and what other apps add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from pmonitor.visible import visible
from servers.models import Server, Service

MOST = 8  # of each kind


class Hit(NamedTuple):
    """One thing that was found; url is where it opens, never something that acts."""

    icon: str  # of the page's sprite
    text: str
    kind: str
    url: str


Finder = Callable[[Any, str], list[Hit]]  # (user, words) -> hits


def servers(user: Any, words: str) -> list[Hit]:
    """Servers whose host name has all the words in it; without words the first ones by name."""
    found = Server.objects.visible_to(user).order_by("hostname")
    for word in words.split():
        found = found.filter(hostname__icontains=word)
    listed = found.values_list("agent_id", "hostname")[:MOST]
    return [
        Hit("server", visible(name), _("server"), reverse("servers:detail", args=[agent])) for agent, name in listed
    ]


def services(user: Any, words: str) -> list[Hit]:
    """Services of which each word is in the name or the server's host name, at least one in the name."""
    parts = words.split()
    found = Service.objects.visible_to(user).order_by("name", "server__hostname") if parts else Service.objects.none()
    for word in parts:
        found = found.filter(name__icontains=word) | found.filter(server__hostname__icontains=word)
    listed = found.values_list("pk", "name", "server__agent_id", "server__hostname")[: MOST * 4]
    return [
        Hit(
            "process",
            visible(_("%(service)s on %(server)s") % {"service": name, "server": host}),
            _("service"),
            f"{reverse('servers:detail', args=[agent])}#svc-{pk}",
        )
        for pk, name, agent, host in listed
        if any(word.lower() in name.lower() for word in parts)
    ][:MOST]


FINDERS: list[Finder] = [servers, services]  # another app adds its own in AppConfig.ready


def find(user: Any, words: str) -> list[Hit]:
    """All hits, in the finders' order."""
    words = words.strip()[:100].replace("\0", "")
    return [hit for finder in FINDERS for hit in finder(user, words)]
