"""The dashboard, the palette's search, and the page that adds a server."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from pmonitor.access import ADMIN, has_role, role_of, viewer_required
from servers import enrol_page, fleet, fleet_totals, search
from servers.fleet import PAGE, Asked
from servers.fleet_live import totals_context
from servers.models import Server


class Column(NamedTuple):
    """A column of the list: what it sorts by, its classes, its word, and what stands beside the word."""

    sort: str
    css: str
    word: Any
    beside: Any = ""


COLUMNS = (
    Column("status", "w4 gl", _("Status")),
    Column("name", "", _("Name")),
    Column("group", "w6 p4", _("Group"), _(", labels")),
    Column("cpu", "w6 num", _("CPU")),
    Column("mem", "w6 num", _("Memory")),
    Column("load", "w2 num p3", pgettext_lazy("reading", "Load")),
    Column("top", "w4 p3", _("Top process")),
    Column("uptime", "w2 num p3", _("Uptime")),
    Column("seen", "w2 num p2", _("Seen")),
)


@viewer_required
@require_GET
def fleet_page(request: HttpRequest) -> HttpResponse:
    """The dashboard; with no server at all, the page that adds the first one."""
    scope = fleet.scope_of(request.user)
    servers, wanted = fleet.in_scope(scope), fleet.asked(request.GET)
    if getattr(request, "htmx", False) and "from" in request.GET:
        return render(request, "_more_rows.html", _listed(request, servers, wanted))
    totals = totals_context(scope, fleet_totals.totals(servers))
    if not totals["totals"].servers:
        context = enrol_page.context(request, first=not Server.objects.exists())
        return render(request, "add_server.html", totals | context | {"empty": True})
    around = totals | {"labels": fleet.labels(servers)}
    for part in fleet.PARTS:
        around |= part(scope, role_of(request.user) or "")
    return render(request, "fleet.html", _listed(request, servers, wanted) | around)


def _listed(request: HttpRequest, servers: Any, wanted: Asked) -> dict[str, Any]:
    said = request.GET.get("from", "")
    start = int(said) if said.isdecimal() and len(said) < 8 else 0
    rows, count = fleet.rows(servers, wanted, start)
    shown = start + len(rows)
    return {
        "rows": rows,
        "asked": wanted,
        "columns": COLUMNS,
        "count": count,
        "shown": shown,
        "more": shown if shown < count and len(rows) == PAGE else None,
    }


@viewer_required
@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    """What the palette finds: its list, or a page of its own without scripts."""
    words = request.GET.get("q", "")
    template = "_found.html" if getattr(request, "htmx", False) else "search.html"
    return render(request, template, {"hits": search.find(request.user, words), "words": words})


@viewer_required
@require_http_methods(["GET", "HEAD", "POST"])
def add_server(request: HttpRequest) -> HttpResponse:
    """The line that installs an agent; an admin's POST makes the key in it."""
    context = enrol_page.context(request, first=not Server.objects.exists())
    if request.method == "POST":
        if not has_role(request.user, ADMIN):
            raise PermissionDenied
        context |= enrol_page.made(request)
    return render(request, "add_server.html", context)
