"""What actions add to the server page: its services, its recent commands, and the commands' lane of the timeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hashlib import blake2s
from typing import Any

from django.db.models import Q
from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from actions import happened_part, service_rows, verbs, waiting
from actions.command_page import pill, took
from actions.models import Command
from actions.service_rows import Row
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.server_page import Fell

RECENT = 8  # commands on the server page
MOST_MARKS = 200  # in the commands' lane


def panels(server: Server, role: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The services (only failed ones with ss=failed), recent and waiting commands, for the page's templates."""
    rows, acting = service_rows.listed(server.pk), service_rows.can_act(role)
    only = query.get("ss") == "failed"
    shown = [row for row in rows if not only or row.service.active_state == "failed"]
    return {
        "services": {
            **{name.replace("-", "_"): html for name, html in services_around(server.pk, rows, acting).items()},
            "rows": services_body(shown, server.agent_id, acting),
            "acting": acting,
            "only": "failed" if only else "",
        },
        "commands": {
            "list": commands_list(commands := recent(server.pk)),
            "version": commands_topic(server.pk, commands),
        },
        **waiting.context(waiting.SERVER, str(server.pk), role),
        "happened": happened_part.panel(server),
    }


def then(server: Server, moment: datetime) -> dict[str, Any]:
    """The commands asked up to a past moment, with how they ended, and what had happened; nothing of it is live."""
    commands = list(Command.objects.filter(server=server, created_at__lte=moment)[:RECENT])
    return {"commands": {"list": commands_list(commands)}, "happened": happened_part.then(server, moment)}


def services_around(server_id: int, rows: list[Row], acting: bool) -> dict[str, SafeString]:
    """The small live elements of the services panel, by id."""
    failed = sum(row.service.active_state == "failed" for row in rows)
    words = (server_id, service_rows.version(rows))
    return {
        "svc-version": format_html(
            '<span hidden id="svc-version" data-topic="services:{}" data-version="{}"></span>', *words
        ),
        "svc-count": format_html('<span class="count" id="svc-count">{}</span>', show.plain(len(rows))),
        "svc-failed": format_html('<span class="count" id="svc-failed">{}</span>', show.plain(failed)),
        "svc-foot": format_html('<p class="panel-foot" id="svc-foot">{}</p>', _foot(rows, acting)),
    }


def services_body(rows: list[Row], agent_id: str, acting: bool) -> SafeString:
    """The table's body, `#services`."""
    made = "".join(service_rows.html(row, agent_id, acting) for row in rows)
    return mark_safe(f'<tbody id="services">{made}</tbody>')  # noqa: S308  rendered templates


def recent(server_id: int) -> list[Command]:
    """The newest commands on the server, newest first."""
    return list(Command.objects.filter(server=server_id)[:RECENT])


def commands_version(commands: list[Command]) -> str:
    """Changes when one is added or moves."""
    return blake2s(repr([(one.pk, one.state) for one in commands]).encode(), digest_size=8).hexdigest()


def commands_topic(server_id: int, commands: list[Command]) -> SafeString:
    """The element that says which commands the page shows."""
    words = (server_id, commands_version(commands))
    return format_html('<span hidden id="cmd-version" data-topic="commands:{}" data-version="{}"></span>', *words)


def commands_list(commands: list[Command]) -> SafeString:
    """The list `#commands`, or the sentence that there are none."""
    if not commands:
        return format_html('<p class="empty" id="commands">{}</p>', _("No command has been given to this server."))
    made = "".join(command_row(command) for command in commands)
    return mark_safe(f'<ol class="rows" id="commands">{made}</ol>')  # noqa: S308  rendered templates


def command_row(command: Command, clock: bool = False) -> str:
    """One command as a row, `#cmd-NUMBER`; clock: says when it was asked, not how long ago."""
    return get_template("_recent_command.html").render(
        {
            "command": command,
            "clock": clock,
            "title": verbs.titled(command.cmd, visible(command.target), command.args),
            "pill": pill(command),
            "took": took(command),
            "reason": visible(command.reason),
        }
    )


def lane(server: Server, start: datetime, end: datetime) -> dict[str, Any]:
    """Commands asked, and what happened without one, in a time range, oldest first; places on the axis in percent."""
    found = Command.objects.filter(server=server, created_at__range=(start, end))[:MOST_MARKS]
    marks = [_mark(command, start, end) for command in reversed(found)]
    return {"lane_commands": marks, **happened_part.lane(server, start, end)}


def between(server: Server, start: datetime, end: datetime) -> list[Fell]:
    """Commands that were asked or carried out in a stretch, and what happened to services in it without one of them."""
    stretch = (start, end)
    meanwhile = Q(created_at__range=stretch) | Q(started_at__range=stretch) | Q(ended_at__range=stretch)
    found = list(Command.objects.filter(meanwhile, server=server)[:MOST_MARKS])
    return [_fell(command) for command in found] + happened_part.between(server, start, end, {one.pk for one in found})


def _fell(command: Command) -> Fell:
    row = partial(command_row, command, clock=True)
    return Fell(command.created_at, "command", command.target, command.cmd, command.state, str(command.uuid), row)


def _mark(command: Command, start: datetime, end: datetime) -> dict[str, Any]:
    share = (command.created_at - start) / (end - start)
    words = {"title": verbs.titled(command.cmd, visible(command.target), command.args), "state": pill(command)}
    return {
        "number": str(command.pk),
        "url": reverse("actions:command", args=[command.uuid]),
        "state": command.state,
        "x": f"{100 * share:.2f}",
        "label": _("%(title)s: %(state)s, %(time)s UTC") % {**words, "time": f"{command.created_at:%H:%M:%S}"},
    }


def _foot(rows: list[Row], acting: bool) -> str | SafeString:
    if not rows:
        return _("This server has listed no services.")
    if any(row.service.verbs for row in rows):
        if acting and any(set(row.service.can or ()) - set(row.service.verbs) for row in rows):
            return _("An agent does only what its server's owner allows; the rest is greyed out.")
        return _("An agent does only what its server's owner allows.")
    if not acting:
        return _("This server's owner allows no actions.")
    return format_html(
        "{} {}",
        _("This server's owner allows no actions."),
        format_html(
            _("To allow some, set {} in {} there and restart the agent."),
            SafeString("<code>ALLOW=restart:nginx.service</code>"),
            SafeString("<code>/etc/pmonitor/agent.env</code>"),
        ),
    )
