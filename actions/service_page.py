"""The page of one service: its state with its buttons, what was asked of it, what other parts know, its log."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from actions import server_part, service_log, service_rows
from actions.models import Command, Read
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Service

RECENT = 8  # commands
# What other parts add below the commands: (service, role) -> a whole panel, or nothing. Their topics are their own.
PARTS: list[Callable[[Service, str], SafeString]] = []


def context(service: Service, role: str, read: Read | None = None, problem: str = "") -> dict[str, Any]:
    """Everything service.html shows; service with its server and that one's group selected; read: its log."""
    acting, server = service_rows.can_act(role), service.server
    row, commands = service_rows.one(service), recent(service)
    return {
        "service": service,
        "server": server,
        "name": visible(service.name),
        "description": visible(service.description),
        "host": show.first_label(visible(server.hostname)),
        "acting": acting,
        "topic": _topic(service, row, commands),
        "row": mark_safe(service_rows.html(row, server.agent_id, acting)),  # noqa: S308  a rendered template
        "facts": facts(service),
        "commands": _list(commands),
        "parts": [part(service, role) for part in PARTS],
        "log": service_log.panel(service, role, read, problem),
    }


def recent(service: Service) -> list[Command]:
    """The newest commands on the service, newest first."""
    return list(Command.objects.filter(server=service.server_id, target=service.name)[:RECENT])


def fragments(service: Service, role: str) -> tuple[str, dict[str, str]]:
    """The live elements by id, and their version."""
    acting, row, commands = service_rows.can_act(role), service_rows.one(service), recent(service)
    parts: dict[str, str] = {
        "topic": _topic(service, row, commands),
        "row": service_rows.html(row, service.server.agent_id, acting),
        "facts": facts(service),
        "commands": _list(commands),
    }
    return version(row, commands), parts


def version(row: service_rows.Row, commands: list[Command]) -> str:
    """Changes with what the live elements show."""
    shown = (row.facts, row.service.n_restarts, row.service.unit_file_state, [(one.pk, one.state) for one in commands])
    return blake2s(repr(shown).encode(), digest_size=8).hexdigest()


def facts(service: Service) -> SafeString:
    """What else is known of it: what its manager does not tell is left out."""
    named = [
        (_("Manager"), visible(service.manager)),
        (_("Also called"), visible(", ".join(service.aliases))),
        (_("Started by"), visible(", ".join(service.triggered_by))),
        (_("At boot"), visible(service.unit_file_state)),
        (_("Processes"), "" if service.tasks is None else show.plain(service.tasks)),
        (_("Restarts by its manager"), "" if service.n_restarts is None else show.plain(service.n_restarts)),
        (_("Last result"), "" if service.result == "success" else visible(service.result)),
    ]
    cells = [format_html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in named if value]
    return format_html('<dl class="facts" id="service-facts">{}</dl>', mark_safe("".join(cells)))  # noqa: S308  made here


def _topic(service: Service, row: service_rows.Row, commands: list[Command]) -> SafeString:
    """A part of its server's topic: what is announced of all its services is heard."""
    words = (service.server_id, service.pk, version(row, commands))
    return format_html('<span hidden id="service-topic" data-topic="services:{}/{}" data-version="{}"></span>', *words)


def _list(commands: list[Command]) -> SafeString:
    if not commands:
        return format_html('<p class="empty" id="commands">{}</p>', _("No command has been given to this service."))
    return server_part.commands_list(commands)
