"""The other copies of a service in its server's group: stopping the last one that runs is worth a warning."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions import protected
from pmonitor.visible import visible
from servers.models import Service
from servers.states import SILENT


class Copies(NamedTuple):
    """How many other servers of the group have the service, and on how many of them it is seen running."""

    group: str
    others: int
    running: int

    @property
    def is_last(self) -> bool:
        """Whether the service is the last one that runs."""
        return self.others > 0 and self.running == 0

    def __str__(self) -> str:
        words = {"n": self.running, "all": self.others + 1, "group": visible(self.group)}
        if self.is_last:
            return _("None of its other copies runs: it is the last of %(all)s in the group %(group)s.") % words
        said = ngettext(
            "%(n)s other copy runs in the group %(group)s.",
            "%(n)s other copies run in the group %(group)s.",
            self.running,
        )
        return said % words


def of(service: Service, cmd: str) -> Copies | None:
    """The service's other copies, where this verb stops one that runs; None where there are none. One query."""
    group = service.server.group
    if group is None or cmd not in protected.VERBS or service.active_state != "active":
        return None
    others = Service.objects.filter(name=service.name, server__group=group).exclude(server=service.server_id)
    states = list(others.values_list("active_state", "server__state"))
    running = sum(state == "active" and server != SILENT for state, server in states)
    return Copies(group.name, len(states), running) if states else None
