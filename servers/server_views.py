"""The server page, now and as of a past moment, its timeline, and one process's own page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pmonitor import access
from servers import chart_files, moments, past_page, process_page, ranges, server_page

View = Callable[..., HttpResponse]


def _moments_named(view: View) -> View:
    """A moment or a stretch that is none is answered by a page that says which parameter is wrong."""

    @wraps(view)
    def answering(request: HttpRequest, agent_id: str, *args: int, **kwargs: int) -> HttpResponse:
        try:
            return view(request, agent_id, *args, **kwargs)
        except moments.WrongMoment as wrong:
            return render(request, "wrong_moment.html", {"agent_id": agent_id, "wrong": wrong}, status=400)

    return answering


@access.viewer_required
@_moments_named
def detail(request: HttpRequest, agent_id: str) -> HttpResponse:
    """One server: what it is, its readings, processes, services and commands; with ?at= as of that moment."""
    server = server_page.find(request.user, agent_id)
    asked = moments.asked(request.GET)
    if asked is None:
        return render(request, "server.html", server_page.context(server, _role(request), request.GET))
    return render(request, "server.html", past_page.context(server, request.GET, asked))


@access.viewer_required
@_moments_named
def then(request: HttpRequest, agent_id: str) -> HttpResponse:
    """What of the server page is another one at another moment, for a page of the past that moves to it."""
    server = server_page.find(request.user, agent_id)
    asked = moments.asked(request.GET)
    if asked is None:
        raise moments.WrongMoment("at", "")
    return render(request, "_then.html", past_page.moving(server, request.GET, asked))


@access.viewer_required
@_moments_named
def readings(request: HttpRequest, agent_id: str) -> HttpResponse:
    """The timeline's lanes and its range, which the page fetches again now and then."""
    server = server_page.find(request.user, agent_id)
    made = server_page.timeline(server, server_page.newest_of(server.pk), ranges.asked(request.GET))
    return render(request, "_readings.html", made)


@access.viewer_required
@_moments_named
def readings_csv(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Every reading of the stretch that is shown, as a table."""
    server, window = server_page.find(request.user, agent_id), ranges.asked(request.GET)
    return chart_files.table(server, window)


@access.viewer_required
@_moments_named
def readings_svg(request: HttpRequest, agent_id: str) -> HttpResponse:
    """The lanes of the stretch that is shown, as a picture that stands alone."""
    server, window = server_page.find(request.user, agent_id), ranges.asked(request.GET)
    return chart_files.picture(server, server_page.newest_of(server.pk), window)


@access.viewer_required
@_moments_named
def process(request: HttpRequest, agent_id: str, pid: int, ticks: int) -> HttpResponse:
    """One process: its CPU and memory over its life, its parent and its children at a moment."""
    server = server_page.find(request.user, agent_id)
    asked = moments.asked(request.GET)
    return render(request, "process.html", process_page.context(server, pid, ticks, request.GET, asked))


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or access.VIEWER
