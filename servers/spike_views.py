"""The page that explains a stretch of a server's time."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from pmonitor.access import viewer_required
from servers import server_page, spike_asked, spike_page


@viewer_required
@require_safe
def explain(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Which processes account for the rise of a stretch, against the stretch before, and what fell into it."""
    server = server_page.find(request.user, agent_id)
    asked = spike_asked.read(request.GET, timezone.now())
    if asked.errors:
        return render(request, "explain.html", spike_page.form(server, asked), status=400)
    return render(request, "explain.html", spike_page.context(server, asked))
