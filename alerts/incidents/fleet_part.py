"""What alerts add to the dashboard: which servers are in trouble, a cell of the totals, and the rail's list."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Count, Q, QuerySet, Window
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import states
from alerts.incidents import shown
from alerts.models import Incident
from pmonitor.templatetags import show
from servers.fleet import Panel, Total
from servers.models import Server

MOST = 7  # incidents in the rail


def _troubled(severity: str) -> QuerySet[Incident, int | None]:
    """The servers with a live incident of that severity; one that is silenced troubles nobody."""
    live = Incident.objects.loud().filter(severity=severity, server__isnull=False)
    return live.order_by().values_list("server", flat=True)


TROUBLES = {severity: partial(_troubled, severity) for severity in reversed(states.SEVERITIES)}  # the worst first


def rail(servers: QuerySet[Server]) -> Panel:
    """The worst incidents that are open on these servers; hidden when there is none. One query."""
    loud = Incident.objects.live_on(servers).listed().loud()
    found: list[Any] = list(shown.worst_first(shown.fetched(loud)).annotate(number=Window(Count("pk")))[:MOST])
    rows = shown.all_of(found)
    html = render_to_string("_rail_incidents.html", {"rows": rows, "count": found[0].number if found else 0})
    return Panel("rail-incidents", html, repr([(row.incident.pk, row.version) for row in rows]))


def total(servers: QuerySet[Server]) -> Total:
    """How many incidents are open on these servers, and how many of them nobody has taken."""
    untaken = Q(pk__in=Incident.objects.untaken_on(servers).values("pk"))
    loud = Incident.objects.live_on(servers).listed().loud()
    count = loud.aggregate(all=Count("pk"), untaken=Count("pk", filter=untaken))
    note = ngettext("%(count)s unacknowledged", "%(count)s unacknowledged", count["untaken"])
    said = note % {"count": show.plain(count["untaken"])} if count["untaken"] else _("none unacknowledged")
    return Total("sum-incidents", reverse("incidents:list"), "bell", _("Incidents"), count["all"], said)
