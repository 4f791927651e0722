"""What alerts add to the dashboard: which servers are in trouble, a cell of the totals, and the rail's list."""

from __future__ import annotations

from functools import partial

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import states
from alerts.models import Incident
from pmonitor.templatetags import show
from servers.fleet import Total
from servers.models import Server


def _troubled(severity: str) -> QuerySet[Incident, int | None]:
    """The servers with a live incident of that severity; one that is silenced troubles nobody."""
    live = Incident.objects.loud().filter(severity=severity, server__isnull=False)
    return live.order_by().values_list("server", flat=True)


TROUBLES = {severity: partial(_troubled, severity) for severity in reversed(states.SEVERITIES)}  # the worst first


def total(servers: QuerySet[Server]) -> Total:
    """How many incidents are open on these servers, and how many of them nobody has taken."""
    loud = Incident.objects.on(servers).listed().loud()
    count = loud.aggregate(all=Count("pk"), untaken=Count("pk", filter=Q(state=states.OPEN)))
    note = ngettext("%(count)s unacknowledged", "%(count)s unacknowledged", count["untaken"])
    said = note % {"count": show.plain(count["untaken"])} if count["untaken"] else _("none unacknowledged")
    return Total("sum-incidents", reverse("incidents:list"), "bell", _("Incidents"), count["all"], said)
