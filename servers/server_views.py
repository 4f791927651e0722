"""The server page and its timeline."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pmonitor import access
from servers import server_page


@access.viewer_required
def detail(request: HttpRequest, agent_id: str) -> HttpResponse:
    """One server: what it is, its readings, processes, services and commands."""
    server = server_page.find(request.user, agent_id)
    return render(request, "server.html", server_page.context(server, _role(request), request.GET))


@access.viewer_required
def readings(request: HttpRequest, agent_id: str) -> HttpResponse:
    """The timeline's lanes, which the page fetches again now and then."""
    server = server_page.find(request.user, agent_id)
    made = server_page.timeline(server, server_page.newest_of(server.pk), request.GET)
    return render(request, "_lanes.html", made)


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or access.VIEWER
