"""What happened to services, as the pages show it: a list, a lane of the timeline; and their live topic."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2s
from typing import Any

from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from actions import happened, verbs
from actions.happened import GLYPHS, Told
from actions.models import Command
from pmonitor.live import View
from pmonitor.visible import visible
from servers import server_live, service_history
from servers import service_events as kinds
from servers.models import Server, Service
from servers.server_page import Fell

RECENT = 8  # events in a list
MOST_MARKS = 200  # in the lane


def panel(server: Server) -> dict[str, SafeString]:
    """What the server page shows of its services' events."""
    return _parts(str(server.pk), happened.newest(server.pk, RECENT))


def then(server: Server, moment: datetime) -> dict[str, SafeString]:
    """The same as of a past moment, which nothing brings up to date."""
    return {"list": _list(happened.newest(server.pk, RECENT, before=moment + timedelta(microseconds=1)))}


def of_service(service: Service, _role: str) -> SafeString:
    """What a service's page shows of its events: the whole panel."""
    told = happened.newest(service.server_id, RECENT, name=service.name)
    parts = _parts(f"{service.server_id}/{service.name}", told)
    return mark_safe(get_template("_happened.html").render({"happened": parts}))  # noqa: S308  a rendered template


def lane(server: Server, start: datetime, end: datetime) -> dict[str, Any]:
    """The events in a time range that no command did, oldest first, with their places on the axis in percent."""
    events = service_history.newest(server.pk, MOST_MARKS, since=start)
    ours = happened.with_commands(server.pk, events)
    marks = [
        _mark(told, server.agent_id, start, end)
        for told in reversed(ours)
        if told.command is None and told.event.at <= end
    ]
    return {"lane_happened": marks}


def between(server: Server, start: datetime, end: datetime, commands: set[int]) -> list[Fell]:
    """The events in a stretch that none of these commands did."""
    told = happened.newest(server.pk, MOST_MARKS, since=start, before=end)
    return [_fell(one) for one in told if one.command is None or one.command.pk not in commands]


def _fell(told: Told) -> Fell:
    event, ref = told.event, str(told.command.uuid) if told.command else ""
    return Fell(event.at, "event", event.name, event.kind, GLYPHS[event.kind], ref, partial(_row, told, clock=True))


def update(key: str, _view: View) -> tuple[str, dict[str, str]]:
    """The list of a server ("12") or of one service ("12/nginx.service"), whole: each event moves all below it."""
    server_id, slash, name = key.partition("/")
    told = happened.newest(int(server_id), RECENT, **({"name": name} if slash else {}))
    parts: dict[str, str] = {**_parts(key, told)}
    return _version(told), parts


def may_watch(user: Any, keys: set[str]) -> set[str]:
    """Servers in the user's scope, and services of them."""
    servers = server_live.may_watch(user, {key.partition("/")[0] for key in keys})
    return {key for key in keys if key.partition("/")[0] in servers}


def _parts(key: str, told: list[Told]) -> dict[str, SafeString]:
    topic = format_html(
        '<span hidden id="happened-version" data-topic="happened:{}" data-version="{}"></span>', key, _version(told)
    )
    return {"version": topic, "list": _list(told)}


def _version(told: list[Told]) -> str:
    shown = [(one.id, one.command and one.command.pk) for one in told]
    return blake2s(repr(shown).encode(), digest_size=8).hexdigest()


def _list(told: list[Told]) -> SafeString:
    if not told:
        return format_html('<p class="empty" id="happened">{}</p>', _("Nothing has happened here yet."))
    rows = "".join(map(_row, told))
    return mark_safe(f'<ol class="rows" id="happened">{rows}</ol>')  # noqa: S308  rendered templates


def _row(told: Told, clock: bool = False) -> str:
    words = {"one": told, "clock": clock, "glyph_of": GLYPHS[told.event.kind], "by": _by(told)}
    return get_template("_happened_row.html").render(words)


def _by(told: Told) -> str:
    if told.command is None:
        return ""
    words = {"what": _verb(told.command), "who": visible(told.command.asked_by_name)}
    return _("during %(what)s by %(who)s") % words if told.meanwhile else _("%(what)s by %(who)s") % words


def _verb(command: Command) -> str:
    verb = verbs.VERBS.get(command.cmd)
    return str(verb.button) if verb else command.cmd


def _mark(told: Told, agent_id: str, start: datetime, end: datetime) -> dict[str, Any]:
    at = told.event.at
    return {
        "id": told.id,
        "state": GLYPHS[told.event.kind],
        "x": f"{100 * ((at - start) / (end - start)):.2f}",
        "label": _("%(what)s, %(time)s UTC") % {"what": told.title, "time": f"{at:%H:%M:%S}"},
        "url": _page(agent_id, told),
    }


def _page(agent_id: str, told: Told) -> str:
    """Where more is told: the service's page, while there is one."""
    there = told.event.name and told.event.kind != kinds.GONE
    return reverse("actions:service", args=[agent_id, told.event.name]) if there else "#happened-panel"
