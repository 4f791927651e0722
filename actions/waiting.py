"""What waits for its server: queued commands that no agent has taken, on the dashboard and on the server page.

The panel `#waiting` is one fragment in both places, rendered once for each role: only who may act can cancel.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2s
from typing import Any

from django.db.models import Q, QuerySet
from django.template.loader import get_template
from django.utils import timezone

from actions import states, verbs
from actions.models import Command
from pmonitor import access, live
from pmonitor.live import View
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import fleet, fleet_live, server_live
from servers.models import Server
from servers.states import UP

PATIENCE = timedelta(seconds=5)  # an agent that is there takes a command at once
ROUND = timedelta(seconds=2)  # the worker's step looks so often
MOST, FIRST = 100, 5  # rows of the panel, and those that need no click
FLEET, SERVER = "waiting", "waits"  # kinds of topics: a scope's commands, a server's


def held() -> Q:
    """Queued commands that wait: those of a server that is away at once, others when they were not taken in time."""
    late = Q(created_at__lte=timezone.now() - PATIENCE)
    return Q(state=states.QUEUED) & (late | ~Q(server__state=UP))


def context(kind: str, key: str, role: str) -> dict[str, Any]:
    """What `_waiting.html` shows of a scope or of a server: empty and hidden when nothing waits."""
    servers = fleet.in_scope(key) if kind == FLEET else Server.objects.filter(pk=int(key))
    commands = list(_commands(servers)[: MOST + 1])
    rows = [_row(command) for command in commands[:MOST]]
    waiting = {
        "topic": f"{kind}:{key}",
        "version": blake2s(repr([(one.pk, one.server.state) for one in commands]).encode(), digest_size=8).hexdigest(),
        "first": rows[:FIRST],
        "rest": rows[FIRST:],
        "count": len(rows),
        "more": len(commands) > MOST,
        "acting": role in (access.OPERATOR, access.ADMIN),
        "everywhere": kind == FLEET,
    }
    return {"waiting": waiting}


def of_scope(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The live topic `waiting:<scope>`."""
    return _rendered(context(FLEET, key, view.role))


def of_server(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The live topic `waits:<server>`."""
    return _rendered(context(SERVER, key, view.role))


def may_watch(user: Any, topic: str) -> bool:
    """Whether the topic of a panel is in the user's scope."""
    kind, _, key = topic.partition(":")
    watchers = {FLEET: fleet_live.may_watch_fleet, SERVER: server_live.may_watch}
    return kind in watchers and bool(watchers[kind](user, {key}))


def queued() -> QuerySet[Command]:
    """What waits or may begin to."""
    return Command.objects.filter(state=states.QUEUED)


def announce_late() -> None:
    """Worker step: commands that were not taken in time begin to wait, which no move tells."""
    now = timezone.now()
    since = Q(created_at__gt=now - PATIENCE - 2 * ROUND, created_at__lte=now - PATIENCE)
    servers = set(queued().filter(since).values_list("server", flat=True).order_by())
    if servers:
        live.announce(f"{FLEET}:all", "fleet:all", *(f"{SERVER}:{server}" for server in servers))


def _rendered(shown: dict[str, Any]) -> tuple[str, dict[str, str]]:
    return shown["waiting"]["version"], {"waiting": get_template("_waiting.html").render(shown)}


def _commands(servers: QuerySet[Server]) -> QuerySet[Command]:
    found = Command.objects.filter(held(), server__in=servers)
    return found.select_related("server").order_by("deliver_by", "pk")


def _row(command: Command) -> dict[str, Any]:
    return {
        "command": command,
        "title": verbs.titled(command.cmd, visible(command.target), command.args),
        "host": visible(command.server.hostname),
        "short": show.first_label(visible(command.server.hostname)),
        "silent": command.server.state != UP,
        "who": visible(command.asked_by_name),
        "reason": visible(command.reason),
    }
