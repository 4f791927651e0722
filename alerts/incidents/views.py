"""The pages that show incidents: the list, what is newer than it, one incident and its members."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from alerts.incidents import incident_page, list_page, shown
from alerts.models import Incident
from pmonitor import access


@access.viewer_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The incidents in the reader's scope: open, silenced or closed ones."""
    return render(request, "alerts.html", list_page.context(request.user, request.GET))


@access.viewer_required
@require_safe
def newer(request: HttpRequest) -> HttpResponse:
    """How many have come since the list was made, and how many there are now."""
    return render(request, "_incidents_newer.html", list_page.since(request.user, request.GET))


@access.viewer_required
@require_safe
def one(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One incident, live."""
    return shown_page(request, incident_of(request, uuid))


@access.viewer_required
@require_safe
def members(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The members of an incident of many servers, as many as the reader may see."""
    return render(request, "_members.html", incident_page.members(request.user, incident_of(request, uuid)))


def incident_of(request: HttpRequest, uuid: UUID) -> Incident:
    """The incident in the reader's scope; else a 404."""
    found: Incident = get_object_or_404(shown.fetched(Incident.objects.visible_to(request.user)), uuid=uuid)
    return found


def shown_page(request: HttpRequest, incident: Incident, status: int = 200, **said: Any) -> HttpResponse:
    """Its page; said: what was wrong with what was asked (problem, errors) and what was typed."""
    made = incident_page.context(incident, access.role_of(request.user) or "")
    made |= incident_page.members(request.user, incident)
    return render(request, "incident.html", {**made, **said}, status=status)
