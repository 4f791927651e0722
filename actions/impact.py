"""What a server's agent knows of a stop's impact, asked of it when the confirmation opens: reads of kind `impact`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from msgspec import Meta, Struct

from actions import protected, reads
from actions.models import Read
from pmonitor.visible import visible
from servers.models import Service
from servers.wire import Count, Name, Word

KIND = "impact"
NAMED = 5  # units in the sentence; the rest is a number


class Stopped(Struct, rename="camel"):
    """A running unit that stops along."""

    name: Name
    active_state: Word


class Peer(Struct, rename="camel"):
    """Who is connected, and how often."""

    address: Name
    connections: Count


class Answer(Struct, rename="camel", omit_defaults=True):
    """What the agent found; what it could not find out is left out."""

    stops: Annotated[list[Stopped], Meta(max_length=100)] = []
    more: bool = False
    ports: Annotated[list[Count], Meta(max_length=50)] = []
    clients: Count | None = None
    peers: Annotated[list[Peer], Meta(max_length=5)] = []
    is_hub: bool = False


def asked(user: Any, service: Service, cmd: str, address: str) -> SafeString | str:
    """Ask the agent, where the verb stops something; what the dialog shows until it answers, empty if nobody was asked.

    One look: the trail gets an entry every ten minutes, however often the dialog is opened.
    """
    stops = cmd in protected.VERBS and service.active_state not in ("inactive", "failed")
    if not stops or reads.cannot(service.server):
        return ""
    read = reads.ask(user, service.server, KIND, service.name, {"cmd": cmd}, address, limited=False, again=True)
    return mark_safe(reads.html(read))  # noqa: S308  a rendered template


def html(read: Read) -> SafeString:
    """The sentences, the worst first."""
    answer = msgspec.convert(read.answer, Answer)
    restart = read.args.get("cmd") != "stop"
    said = {"hub": answer.is_hub, "stops": _stops(answer, restart), "clients": _clients(answer)}
    return mark_safe(get_template("_impact.html").render(said))  # noqa: S308  a rendered template


def _stops(answer: Answer, restart: bool) -> str:
    names = [visible(one.name) for one in answer.stops]
    if not names:
        return _("No other service stops with it.")
    rest = len(names) - NAMED
    named = ", ".join(names[:NAMED])
    if answer.more or rest > 0:
        named = _("%(named)s and %(rest)s more") % {"named": named, "rest": f"{max(rest, 1)}{'+' * answer.more}"}
    sentence = _("Restarts with it: %(named)s.") if restart else _("Stops with it: %(named)s.")
    return sentence % {"named": named}


def _clients(answer: Answer) -> str:
    if answer.clients is None:
        return ""
    if not answer.ports:
        return _("It listens on no port.")
    ports = ", ".join(str(port) for port in answer.ports)
    if not answer.clients:
        return _("Nobody is connected to its ports (%(ports)s).") % {"ports": ports}
    peers = ", ".join(visible(peer.address) for peer in answer.peers)
    sentence = ngettext(
        "%(n)s client is connected to its ports (%(ports)s): %(peers)s.",
        "%(n)s clients are connected to its ports (%(ports)s), most from %(peers)s.",
        answer.clients,
    )
    return sentence % {"n": answer.clients, "ports": ports, "peers": peers}


def register() -> None:
    """Called once, when all apps are ready."""
    reads.KINDS[KIND] = reads.Kind(gettext_lazy("Impact of stopping %(target)s"), Answer, html)
