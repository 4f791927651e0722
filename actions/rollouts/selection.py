"""Which servers a rollout is for: those that match every filter, and those named one by one."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from servers.models import Server, Service
from servers.twins import twin_of

STATES = ("active", "inactive", "failed")  # of the service, to choose by


class Selection(NamedTuple):
    """What the servers are chosen by; nothing at all means every server in scope that has the service."""

    group: str = ""
    label: str = ""  # "env" or "env=prod"
    name: str = ""  # a pattern such as web-*
    service_state: str = ""
    servers: tuple[str, ...] = ()  # agent ids; beside filters they are added
    without: tuple[str, ...] = ()  # agent ids that are left out whatever chose them

    def filtered(self) -> bool:
        """Whether there is a filter."""
        return any((self.group, self.label, self.name, self.service_state))

    def said(self) -> dict[str, Any]:
        """What was given, by the API's names."""
        words = {
            "group": self.group,
            "label": self.label,
            "name": self.name,
            "serviceState": self.service_state,
            "servers": list(self.servers),
            "without": list(self.without),
        }
        return {name: value for name, value in words.items() if value}


class Found(NamedTuple):
    """What the selection comes to; services with their server selected."""

    services: list[Service]  # to be rolled out
    barred: list[Server]  # its owner does not allow the verb, or the unit cannot do it
    lacking: list[Server]  # chosen one by one, and without such a service
    unknown: list[str]  # agent ids of no server in scope


def find(user: Any, cmd: str, target: str, selection: Selection) -> Found:
    """The services of that name on the selected servers in the user's scope."""
    mine = Server.objects.visible_to(user)
    listed = Service.objects.filter(server__in=_selected(mine, target, selection), name=target.replace("\0", ""))
    services = list(_with_servers(listed))
    named = set(selection.servers) - set(selection.without) - {service.server.agent_id for service in services}
    lacking = list(mine.filter(agent_id__in=named))
    return Found(
        [service for service in services if cmd in service.verbs],
        [service.server for service in services if cmd not in service.verbs],
        lacking,
        sorted(named - {server.agent_id for server in lacking}),
    )


def having(user: Any, target: str) -> list[Service]:
    """The services of that name the user sees, by host name: what can be ticked."""
    found = Service.objects.visible_to(user).filter(name=target.replace("\0", ""))
    return list(_with_servers(found))


def _with_servers(services: QuerySet[Service]) -> QuerySet[Service]:
    """By host name, with their servers, and whether those have a twin."""
    found = services.select_related("server").annotate(twin=twin_of(Server, "server__"))
    return found.order_by("server__hostname", "server_id")


def _selected(mine: QuerySet[Server], target: str, selection: Selection) -> QuerySet[Server]:
    chosen = Q()
    if selection.group:
        chosen &= Q(group__name=selection.group)
    if selection.label:
        key, equals, value = selection.label.partition("=")
        chosen &= Q(labels__contains={key: value}) if equals else Q(labels__has_key=key)
    if selection.name:
        chosen &= Q(pk__in=_named_like(mine, selection.name))
    if selection.service_state:
        in_state = Service.objects.filter(name=target.replace("\0", ""), active_state=selection.service_state)
        chosen &= Q(pk__in=in_state.values("server"))
    if selection.servers:
        by_name = Q(agent_id__in=selection.servers)
        chosen = chosen | by_name if selection.filtered() else by_name
    return mine.filter(chosen).exclude(agent_id__in=selection.without)


def _named_like(mine: QuerySet[Server], pattern: str) -> list[int]:
    fits = re.compile(translate(pattern), re.IGNORECASE).match
    names = mine.values_list("pk", "hostname", "agent_id")
    return [pk for pk, host, agent in names if fits(host) or fits(host.partition(".")[0]) or fits(agent)]
