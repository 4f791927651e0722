"""Servers with the same host name, such as clones: only their agent ids tell them apart, so pages tell those too."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, Q

from pmonitor.templatetags import show
from pmonitor.visible import visible


def twin_of(servers: Any, path: str = "") -> ExpressionWrapper[Any]:
    """Whether another of the servers (their model) has the host name of the one at the end of a path ("server__").

    No matter who sees the other one: what is shown of a server is pushed to many. The shared names are found once for
    a whole list, as a look at all servers for each of them would take the square of their number.
    """
    shared = servers.objects.order_by().values("hostname").annotate(many=Count("pk")).filter(many__gt=1)
    return ExpressionWrapper(Q(**{f"{path}hostname__in": shared.values("hostname")}), BooleanField())


def told_apart(hostname: str, agent_id: str, twin: bool) -> str:
    """The host name's first label, with the agent id where only that tells the server from its twin."""
    host = show.first_label(visible(hostname))
    return f"{host} ({visible(agent_id)})" if twin and agent_id != hostname else host
