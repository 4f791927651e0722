"""How many incidents in somebody's scope nobody has taken: beside "Alerts" on every page, live, in one query."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Count, Window
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from alerts.incidents.shown import Shown
from alerts.models import Incident
from pmonitor.live import View
from servers import fleet


class Untaken(NamedTuple):
    """The incidents nobody has taken: how many, and the newest."""

    number: int = 0
    newest: Shown | None = None

    @property
    def version(self) -> str:
        """Changes with the number and with which is the newest."""
        return f"{self.number}-{self.newest.incident.pk}" if self.newest else "0"


def beside(user: Any) -> SafeString:
    """What stands beside the place in the navigation."""
    scope = fleet.scope_of(user)
    return _html(scope, untaken(scope))


def untaken(scope: str) -> Untaken:
    """Those of a scope; one query."""
    loud = Incident.objects.untaken_on(fleet.in_scope(scope)).listed().loud()
    found: Any = loud.select_related("server").annotate(number=Window(Count("pk"))).order_by("-pk").first()
    return Untaken(found.number, Shown(found)) if found else Untaken()


def render(key: str, _view: View) -> tuple[str, dict[str, str]]:
    """The live topic `nav-incidents:<scope>`."""
    found = untaken(key)
    return found.version, {"nav-incidents": _html(key, found)}


def _html(scope: str, found: Untaken) -> SafeString:
    made = render_to_string("_nav_incidents.html", {"scope": scope, "untaken": found, "newest": found.newest})
    return mark_safe(made.strip())  # noqa: S308  a rendered template
