"""The live topics of incidents: the header's count, the list and each row of it, one incident, a server's panel."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from alerts.incidents import capsule_page, header, incident_page, list_page, server_part, shown
from alerts.incidents.shown import Shown
from alerts.models import Incident
from pmonitor import access
from pmonitor.live import Topic, View, by_id
from servers import fleet_live, server_live

ROW = "/row"  # "incident:12/row" is the row of it in a list


def incidents(_key: str, _view: View) -> tuple[str, dict[str, str]]:
    """Only that something moved: how many are newer than its list, the page asks for itself."""
    last = list_page.newest()
    return str(last), {"last": render_to_string("_incidents_last.html", {"last": last})}


def incident(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The incident's row in a list, or the parts of its page."""
    found: Incident = shown.fetched(Incident.objects.filter(pk=int(key.removesuffix(ROW)))).get()
    if key.endswith(ROW):
        row, acting = Shown(found), view.role in (access.OPERATOR, access.ADMIN)
        return row.version, {"row": render_to_string("_incident_row.html", {"row": row, "acting": acting})}
    made = incident_page.context(found, view.role)
    made["capsule"] = capsule_page.of(found, found.server, view.role) if found.server else None
    return made["version"], incident_page.fragments(made)


def may_watch_incident(user: Any, keys: set[str]) -> set[str]:
    """The numbers of incidents in the user's scope, and their rows."""
    numbers = {key: key.removesuffix(ROW) for key in keys}
    asked = [int(number) for number in numbers.values() if number.isdecimal() and len(number) < 19]
    mine = {str(pk) for pk in Incident.objects.visible_to(user).filter(pk__in=asked).values_list("pk", flat=True)}
    return {key for key, number in numbers.items() if number in mine}


TOPICS = {
    "nav-incidents": Topic(fleet_live.may_watch_fleet, by_id(header.render)),
    "incidents": Topic(access.may_watch_all, by_id(incidents)),
    "incident": Topic(may_watch_incident, by_id(incident), every=0.25),
    "alerts": Topic(server_live.may_watch, by_id(server_part.update), every=0.5),
}
