"""The server page, now and as of a past moment, its timeline, and one process's own page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pmonitor import access
from servers import moments, past_page, process_page, server_page


@access.viewer_required
def detail(request: HttpRequest, agent_id: str) -> HttpResponse:
    """One server: what it is, its readings, processes, services and commands; with ?at= as of that moment."""
    server = server_page.find(request.user, agent_id)
    try:
        asked = moments.asked(request.GET)
    except moments.WrongMoment as wrong:
        return _wrong(request, agent_id, wrong)
    if asked is None:
        return render(request, "server.html", server_page.context(server, _role(request), request.GET))
    return render(request, "server.html", past_page.context(server, request.GET, asked))


@access.viewer_required
def then(request: HttpRequest, agent_id: str) -> HttpResponse:
    """What of the server page is another one at another moment, for a page of the past that moves to it."""
    server = server_page.find(request.user, agent_id)
    try:
        asked = moments.asked(request.GET)
    except moments.WrongMoment as wrong:
        return _wrong(request, agent_id, wrong)
    if asked is None:
        return _wrong(request, agent_id, moments.WrongMoment("at", ""))
    return render(request, "_then.html", past_page.moving(server, request.GET, asked))


@access.viewer_required
def readings(request: HttpRequest, agent_id: str) -> HttpResponse:
    """The timeline's lanes, which the page fetches again now and then."""
    server = server_page.find(request.user, agent_id)
    made = server_page.timeline(server, server_page.newest_of(server.pk), request.GET)
    return render(request, "_lanes.html", made)


@access.viewer_required
def process(request: HttpRequest, agent_id: str, pid: int, ticks: int) -> HttpResponse:
    """One process: its CPU and memory over its life, its parent and its children at a moment."""
    server = server_page.find(request.user, agent_id)
    try:
        asked = moments.asked(request.GET)
    except moments.WrongMoment as wrong:
        return _wrong(request, agent_id, wrong)
    return render(request, "process.html", process_page.context(server, pid, ticks, request.GET, asked))


def _wrong(request: HttpRequest, agent_id: str, wrong: moments.WrongMoment) -> HttpResponse:
    return render(request, "wrong_moment.html", {"agent_id": agent_id, "wrong": wrong}, status=400)


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or access.VIEWER
