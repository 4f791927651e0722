"""The live topics about commands: a server's services and recent commands, one command, one read, the audit trail."""

from __future__ import annotations

from typing import Any

from django.template.loader import get_template
from django.utils.html import format_html

from actions import audit_page, command_page, happened_part, reads, server_part, service_page, service_rows, waiting
from actions.models import Command, Read
from pmonitor import access
from pmonitor.live import Shown, Topic, View, by_id
from servers import fleet_live, server_live
from servers.models import Server, Service


def services(key: str, view: View, before: Shown | None) -> tuple[Shown, list[str]]:
    """The services' rows that changed; the whole list when one came or went, or their order is another.

    With a key such as "12/345" what the page of that one service shows.
    """
    if "/" in key:
        return by_id(service)(key, view, before)
    agent_id = Server.objects.values_list("agent_id", flat=True).get(pk=int(key))
    rows, acting = service_rows.listed(int(key)), service_rows.can_act(view.role)
    around = server_part.services_around(int(key), rows, acting)
    now = Shown(service_rows.version(rows), {"around": around, "rows": {row.id: row.facts for row in rows}})
    if before is None or list(before.parts["rows"]) != list(now.parts["rows"]):
        return now, ["".join(around.values()), server_part.services_body(rows, agent_id, acting)]
    old = before.parts
    small = "".join(html for name, html in around.items() if old["around"].get(name) != html)
    moved = [row for row in rows if old["rows"][row.id] != row.facts]
    return now, [m for m in (small, "".join(service_rows.html(row, agent_id, acting) for row in moved)) if m]


def service(key: str, view: View) -> tuple[str, dict[str, str]]:
    """What the service's page shows of it; nothing new once its server lists it no more."""
    found = Service.objects.filter(pk=int(key.partition("/")[2])).select_related("server").first()
    return service_page.fragments(found, view.role) if found else ("gone", {})


def may_watch_services(user: Any, keys: set[str]) -> set[str]:
    """Servers in the user's scope, and single services of them ("12/345")."""
    pairs = {key: key.partition("/") for key in keys}
    servers = server_live.may_watch(user, {server for server, _slash, _service in pairs.values()})
    mine = {key: service for key, (server, _slash, service) in pairs.items() if server in servers}
    numbers = [int(one) for one in mine.values() if one.isdecimal() and len(one) < 19]
    there = {f"{server}/{pk}" for pk, server in Service.objects.filter(pk__in=numbers).values_list("pk", "server")}
    return {key for key, service in mine.items() if not service or key in there} - {f"{one}/" for one in servers}


def commands(key: str, _view: View, before: Shown | None) -> tuple[Shown, list[str]]:
    """The recent commands' rows that moved; the whole list when there is a new one."""
    recent = server_part.recent(int(key))
    topic = server_part.commands_topic(int(key), recent)
    now = Shown(server_part.commands_version(recent), {str(one.pk): one.state for one in recent})
    if before is None or list(before.parts) != list(now.parts):
        return now, [topic + server_part.commands_list(recent)]
    moved = [server_part.command_row(one) for one in recent if before.parts[str(one.pk)] != one.state]
    return now, [topic + "".join(moved)] if moved else []


def command(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The command's whole article: each move changes most of it."""
    found = Command.objects.select_related("server").get(pk=int(key))
    context = command_page.context(found, view.role)
    parts = {
        "article": get_template("_command.html").render(context),
        "again": get_template("_again.html").render(context),
    }
    return str(context["version"]), parts


def read(key: str, _view: View) -> tuple[str, dict[str, str]]:
    """What came of a question to the agent."""
    found = Read.objects.get(pk=int(key))
    return reads.version(found), {"read": reads.html(found)}


def audit(_key: str, _view: View) -> tuple[str, dict[str, str]]:
    """Only that there is a newer record: how many of them match its filters the page asks for itself."""
    last = audit_page.newest_record()
    html = '<span hidden id="audit-last" data-topic="audit:all" data-version="{}"></span>'
    return str(last), {"last": format_html(html, last)}


def may_watch_command(user: Any, keys: set[str]) -> set[str]:
    """The numbers of commands on servers in the user's scope."""
    return _seen(Command.objects.visible_to(user), keys)


def may_watch_read(user: Any, keys: set[str]) -> set[str]:
    """The numbers of the user's own reads of servers in their scope."""
    return _seen(Read.objects.visible_to(user), keys)


def _seen(rows: Any, keys: set[str]) -> set[str]:
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]  # what a bigint holds
    return keys & {str(pk) for pk in rows.filter(pk__in=numbers).values_list("pk", flat=True)}


TOPICS = {
    "happened": Topic(happened_part.may_watch, by_id(happened_part.update), every=0.5),
    "services": Topic(may_watch_services, services, every=0.25),
    "commands": Topic(server_live.may_watch, commands, every=0.25),
    "command": Topic(may_watch_command, by_id(command), every=0.1),
    "read": Topic(may_watch_read, by_id(read), every=0.1),
    "audit": Topic(access.may_watch_all, by_id(audit)),
    waiting.FLEET: Topic(fleet_live.may_watch_fleet, by_id(waiting.of_scope)),
    waiting.SERVER: Topic(server_live.may_watch, by_id(waiting.of_server), every=0.25),
}
