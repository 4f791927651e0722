"""The hub's addresses and one more: an empty page for whoever is signed in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from pmonitor.access import viewer_required
from pmonitor.urls import urlpatterns as ours


@viewer_required
def empty(request: HttpRequest) -> HttpResponse:
    """What middlewares, session and role cost by themselves; long enough to be gzipped as pages are."""
    return HttpResponse("<!doctype html><title>empty</title>".ljust(300))


urlpatterns = [*ours, path("empty/", empty)]
