"""What alerts add to the server page: a panel of its incidents and a lane of the timeline, now and as of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from hashlib import blake2s
from typing import Any

from django.db.models import Case, F, Q, QuerySet, When
from django.template.loader import get_template, render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from alerts import states
from alerts.incidents import shown
from alerts.incidents.shown import Shown
from alerts.models import Incident
from pmonitor.live import View
from servers import server_page, standing
from servers.models import Server, Service
from servers.server_page import Fell

MOST, ENDED = 20, 5  # live ones, and closed ones, in the panel
MOST_BARS = 200  # in the lane


def panels(server: Server, _role: str, _query: Mapping[str, str]) -> dict[str, Any]:
    """The panel of live incidents and of the last that closed."""
    rows = _newest(Incident.objects.filter(server=server))
    return {"incidents": {"version": _topic(server.pk, rows), "list": _list(rows)}}


def then(server: Server, moment: datetime) -> dict[str, Any]:
    """The incidents that were open at a past moment, and the last that had closed by then; nothing of it is live."""
    began = Incident.objects.filter(server=server, opened_at__lte=moment)
    rows = [_as_of(row, moment) for row in _newest(began, moment)]
    return {"incidents": {"list": _list(rows, moment)}}


def update(key: str, _view: View) -> tuple[str, dict[str, str]]:
    """The live topic `alerts:<server>`: the panel, and the server's standing, which hangs on what is open."""
    rows = _newest(Incident.objects.filter(server=int(key)))
    server = Server.objects.annotate(standing=standing.standing()).get(pk=int(key))
    status = server_page.status(server)
    return _version(rows), {"version": _topic(int(key), rows), "list": _list(rows), "status": status}


def lane(server: Server, start: datetime, end: datetime) -> dict[str, Any]:
    """The incidents that were open in a time range, oldest first, with their places on the axis in percent."""
    rows = shown.all_of(_during(server, start, end).select_related("server"))
    return {"lane_incidents": [_bar(row, start, end) for row in reversed(rows)]}


def between(server: Server, start: datetime, end: datetime) -> list[Fell]:
    """The incidents that were open in a stretch."""
    return [
        Fell(
            row.incident.opened_at,
            "incident",
            row.incident.subject,
            row.incident.kind,
            row.incident.severity,
            str(row.incident.uuid),
            partial(_row, row, clock=True),
        )
        for row in shown.all_of(shown.fetched(_during(server, start, end)))
    ]


def of_service(service: Service, _role: str) -> SafeString:
    """What a service's page shows of its incidents: the whole panel, or nothing where there never was one."""
    about = Incident.objects.filter(server=service.server_id, subject=service.name)
    if not (rows := _newest(about)):
        return SafeString("")
    return mark_safe(render_to_string("_server_incidents.html", {"incidents": {"list": _list(rows)}}))  # noqa: S308


def _newest(found: Any, moment: datetime | None = None) -> list[Shown]:
    """The live ones, the worst first, and the last that closed; as of a moment, where one is given.

    Two queries: most servers have none, and to find that out by the second would take a tenth of a page's time.
    """
    if not found.exists():
        return []
    closed = F("closed_at") if moment is None else Case(When(closed_at__lte=moment, then=F("closed_at")))
    ordered = shown.fetched(found).annotate(over=closed).order_by(F("over").desc(nulls_first=True), "-opened_at", "-pk")
    listed: list[Any] = list(ordered[: MOST + ENDED])
    live = sorted((one for one in listed if one.over is None), key=lambda one: one.severity != states.CRITICAL)
    return shown.all_of([*live[:MOST], *[one for one in listed if one.over is not None][:ENDED]])


def _as_of(row: Shown, moment: datetime) -> Shown:
    """As much of it as is known of the moment: whether it was open, and taken. What else was so is in its timeline."""
    one = row.incident
    if one.closed_at is None or one.closed_at > moment:
        taken = one.acknowledged_at is not None and one.acknowledged_at <= moment
        one.state, one.closed_at = states.ACKNOWLEDGED if taken else states.OPEN, None
    one.silence, one.snoozed_until, one.assigned_to = None, None, None
    one.no_data_since, one.flapping = None, False
    return row


def _during(server: Server, start: datetime, end: datetime) -> QuerySet[Incident]:
    """The newest first; what is live counts as going on."""
    meant = Q(closed_at__gte=start) | Q(closed_at=None)
    found = Incident.objects.filter(meant, server=server, opened_at__lte=end)
    during: QuerySet[Incident] = found.order_by("-opened_at", "-pk")[:MOST_BARS]
    return during


def _bar(row: Shown, start: datetime, end: datetime) -> dict[str, Any]:
    incident, length = row.incident, end - start
    began, ended = max(incident.opened_at, start), min(incident.closed_at or end, end)
    words = {"severity": row.severity, "title": row.title, "from": f"{incident.opened_at:%H:%M:%S}"}
    if incident.closed_at is None:
        label = _("%(severity)s: %(title)s, open since %(from)s UTC") % words
    else:
        label = _("%(severity)s: %(title)s, %(from)s to %(to)s UTC") % {**words, "to": f"{incident.closed_at:%H:%M:%S}"}
    return {
        "id": f"bar-{incident.pk}",
        "url": row.url,
        "state": incident.severity,
        "x": f"{100 * ((began - start) / length):.2f}",
        "width": f"{100 * (max(ended - began, began - began) / length):.2f}",
        "label": label,
    }


def _list(rows: Iterable[Shown], moment: datetime | None = None) -> SafeString:
    made = "".join(_row(row, clock=moment is not None) for row in rows)
    if not made:
        said = _("No incident was open.") if moment else _("No incident is open.")
        return format_html('<p class="empty" id="incidents">{}</p>', said)
    return mark_safe(f'<ol class="rows" id="incidents">{made}</ol>')  # noqa: S308  rendered templates


def _row(row: Shown, clock: bool = False) -> str:
    return get_template("_server_incident.html").render({"row": row, "clock": clock})


def _topic(server_id: int, rows: list[Shown]) -> SafeString:
    html = '<span hidden id="incidents-version" data-topic="alerts:{}" data-version="{}"></span>'
    return format_html(html, server_id, _version(rows))


def _version(rows: list[Shown]) -> str:
    return blake2s(repr([(row.incident.pk, row.version) for row in rows]).encode(), digest_size=8).hexdigest()
