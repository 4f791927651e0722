"""The chart of a capsule: the server's readings around an incident, which is marked on them. It is not stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.models import Incident
from servers import lanes, readings, server_page
from servers.models import Server
from servers.ranges import Window

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=30)  # around its beginning and its opening
ALWAYS = ("cpu", "mem", "load")
METRIC_LANES = {  # the lane of a rule's reading, where that is none of these
    "diskReadBps": "disk",
    "diskWriteBps": "disk",
    "netRxBps": "net",
    "netTxBps": "net",
    "procs": "procs",
}


def context(incident: Incident, server: Server) -> dict[str, Any] | None:
    """Lanes, ruler and the incident's place on them in percent; None where no reading of that time is kept."""
    start, now = incident.began_at - BEFORE, timezone.now()
    window = Window(start, min(now, incident.opened_at + AFTER), None, False)
    newest = server_page.newest_of(server.pk)
    values = readings.values_at(server.pk, incident.opened_at, newest)
    made = readings.context(newest, server.pk, values, window, incident.opened_at)
    shown = {*ALWAYS, METRIC_LANES.get(incident.facts.get("metric", ""), "")}
    drawn = [lane for lane in made["lanes"] if lane.id in shown]
    if not any(lane.drawing for lane in drawn):
        return None
    end = min(incident.closed_at or now, window.end)
    return {
        "axis": made["axis"],
        "lanes": drawn,
        "marks": made["marks"],
        "gaps": made["gaps"],
        "mark": _place(incident.began_at, max(end, incident.opened_at), window),
        "opened": f"{_x(incident.opened_at, window):.2f}",
        "label": _("The incident from %(from)s to %(to)s UTC")
        % {"from": lanes.said(incident.began_at, made["axis"]), "to": lanes.said(end, made["axis"])},
    }


def _place(start: datetime, end: datetime, window: Window) -> dict[str, str]:
    x = _x(start, window)
    return {"x": f"{x:.2f}", "width": f"{max(0.25, _x(end, window) - x):.2f}"}


def _x(moment: datetime, window: Window) -> float:
    return min(100.0, max(0.0, 100 * (moment - window.start) / window.length))
