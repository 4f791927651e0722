"""Servers with the same host name, such as clones: only their agent ids tell them apart, so pages tell those too."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef

from pmonitor.templatetags import show
from pmonitor.visible import visible


def twin_of(servers: Any, path: str = "") -> Exists:
    """Whether another of the servers (their model) has the host name of the one at the end of a path ("server__").

    No matter who sees the other one: what is shown of a server is pushed to many.
    """
    others = servers.objects.filter(hostname=OuterRef(f"{path}hostname"))
    return Exists(others.exclude(pk=OuterRef(f"{path}pk")))


def told_apart(hostname: str, agent_id: str, twin: bool) -> str:
    """The host name's first label, with the agent id where only that tells the server from its twin."""
    host = show.first_label(visible(hostname))
    return f"{host} ({visible(agent_id)})" if twin and agent_id != hostname else host
