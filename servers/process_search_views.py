"""The page that finds processes on all servers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from pmonitor import limits
from pmonitor.access import viewer_required
from pmonitor.problems import Problem
from servers import process_asked, process_parts, process_search_page
from servers.process_asked import Asked


@viewer_required
@require_GET
def processes_page(request: HttpRequest) -> HttpResponse:
    """Processes on the servers in scope that hold to the search: now, at a moment, or in a stretch of the past."""
    asked = process_asked.read(request.GET, timezone.now())
    status, made = _found(request, asked)
    return render(request, "processes.html", made, status=status)


@viewer_required
@require_GET
def processes_part(request: HttpRequest) -> HttpResponse:
    """A further part of a search of the past; with `stop` only how far it is."""
    asked, so = process_asked.read(request.GET, timezone.now()), process_parts.read(request.GET)
    if not (asked.ready and asked.in_past and getattr(request, "htmx", False)):
        return redirect(f"../?{asked.query}")
    if "stop" in request.GET:
        return render(
            request, "_processes_searching.html", process_search_page.at(request.user, asked, so) | {"stopped": True}
        )
    try:
        limits.hit("search-parts", f"user-{request.user.pk}")
        made = process_search_page.further(request.user, asked, so)
    except (Problem, process_parts.Busy):  # the page asks again by itself
        made = process_search_page.at(request.user, asked, so) | {"busy": True}
    return render(request, "_processes_part.html", made)


def _found(request: HttpRequest, asked: Asked) -> tuple[int, dict[str, Any]]:
    """The page's status and context."""
    if not asked.ready:
        return 400 if asked.errors else 200, process_search_page.form(asked)
    try:
        limits.hit("searches", f"user-{request.user.pk}")
        return 200, process_search_page.context(request.user, asked, process_parts.read(request.GET))
    except Problem as problem:
        return problem.status_code, process_search_page.form(asked) | {"problem": problem.sentence}
    except process_parts.Busy:
        return 503, process_search_page.form(asked) | {"busy": True}
