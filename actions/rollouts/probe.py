"""A rollout's probe: the address that must answer on each server after its command. Asked by reads of kind `probe`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import Meta, Struct, convert

from actions import reads
from actions import states as command_states
from actions.models import Read
from pmonitor.visible import visible
from servers.models import Newest, Server

KIND = "probe"
FEATURE = "probe"  # what an agent that can calls it
LENGTH = 200
SCHEMES = ("http", "https", "tcp")
HOSTS = ("localhost", "127.0.0.1", "::1")  # each server asks itself


class Answer(Struct):
    """Whether it answered well, and what was seen: "HTTP 503 in 12 ms"."""

    ok: bool
    said: Annotated[str, Meta(min_length=1, max_length=255)]


def register() -> None:
    """Called once, when all apps are ready."""
    reads.KINDS[KIND] = reads.Kind(gettext_lazy("Probe of %(target)s"), Answer, html)


def html(read: Read) -> SafeString:
    """What was seen."""
    return format_html("<p>{}</p>", visible(convert(read.answer, Answer).said))


def wrong(url: str, cmd: str) -> str:
    """What is wrong with an address to be probed after this verb; empty for a right one, and for none."""
    if not url:
        return ""
    if cmd == command_states.STOP:
        return _("cannot be used with a stop: nothing answers then")
    if len(url) > LENGTH:
        return _("must be at most %(n)s characters long") % {"n": LENGTH}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _example()
    if not (url.isascii() and url.isprintable()) or " " in url or parts.scheme not in SCHEMES:
        return _example()
    if "@" in parts.netloc:
        return _("must not name a user or a password")
    if parts.hostname not in HOSTS:
        return _example()
    if parts.scheme == "tcp" and not port:
        return _("must name the port, such as tcp://127.0.0.1:5432")
    return ""


def able(servers: Iterable[Server]) -> set[int]:
    """The numbers of those servers whose agents can probe."""
    found = Newest.objects.filter(server__in=[server.pk for server in servers], facts__features__contains=[FEATURE])
    return set(found.values_list("server_id", flat=True))


def _example() -> str:
    return _("must be an address on the server itself, such as http://127.0.0.1:8080/health or tcp://localhost:5432")
