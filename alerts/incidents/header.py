"""How many incidents in somebody's scope nobody has taken: beside "Alerts" on every page, live, in one query."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Window
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from alerts import states
from alerts.incidents.shown import Shown
from alerts.models import Incident
from pmonitor.live import View
from servers import fleet


def beside(user: Any) -> SafeString:
    """What stands beside the place in the navigation."""
    scope = fleet.scope_of(user)
    return _html(scope, newest(scope))


def newest(scope: str) -> Incident | None:
    """The newest incident nobody has taken, and as its `untaken` how many there are; None for none."""
    untaken = Incident.objects.on(fleet.in_scope(scope)).listed().loud().filter(state=states.OPEN)
    found: Incident | None = (
        untaken.select_related("server").annotate(untaken=Window(Count("pk"))).order_by("-pk").first()
    )
    return found


def render(key: str, _view: View) -> tuple[str, dict[str, str]]:
    """The live topic `nav-incidents:<scope>`."""
    found = newest(key)
    return version(found), {"nav-incidents": _html(key, found)}


def version(found: Incident | None) -> str:
    """Changes with the number and with which is the newest."""
    return f"{found.untaken}-{found.pk}" if found else "0"


def _html(scope: str, found: Incident | None) -> SafeString:
    context = {
        "scope": scope,
        "version": version(found),
        "count": found.untaken if found else 0,
        "newest": found.pk if found else 0,
        "shown": Shown(found) if found else None,
    }
    return mark_safe(render_to_string("_nav_incidents.html", context).strip())  # noqa: S308  a rendered template
