"""The page of one service, and its log."""

from __future__ import annotations

from contextlib import suppress

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from actions import reads, service_log, service_page
from actions.models import Read
from pmonitor import access, client
from pmonitor.problems import Problem
from servers.models import Service


@access.viewer_required
@require_safe
def detail(request: HttpRequest, agent_id: str, name: str) -> HttpResponse:
    """One service: its state, what may be done to it, what was, and the log its reader asked for last."""
    service = _service(request, agent_id, name)
    read = _read(request, service, request.GET.get("read", ""))
    return render(request, "service.html", service_page.context(service, access.role_of(request.user) or "", read))


@access.operator_required
@require_POST
def log(request: HttpRequest, agent_id: str, name: str) -> HttpResponseBase:
    """Ask for the newest lines, or with `after` for what came since: the panel, those lines, or the service's page."""
    service, after = _service(request, agent_id, name), request.POST.get("after")
    role, level = access.role_of(request.user) or "", request.POST.get("level", "")
    try:
        read = service_log.ask(request.user, service, level, client.address(request), after)
    except Problem as problem:
        return _refused(request, service, problem)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"{reverse('actions:service', args=[agent_id, name])}?read={read.uuid}#log")
    if after is not None:
        return HttpResponse(reads.html(read))
    return render(request, "_log.html", {"log": service_log.panel(service, role, read)})


def _refused(request: HttpRequest, service: Service, problem: Problem) -> HttpResponse:
    """In place of the panel or of more lines where htmx asks, which swaps in no other status than 200."""
    role = access.role_of(request.user) or ""
    if not request.htmx:  # type: ignore[attr-defined]
        shown = service_page.context(service, role, problem=problem.sentence)
        return render(request, "service.html", shown, status=problem.status_code)
    if "after" in request.POST:
        return HttpResponse(render_to_string("_log_note.html", {"said": problem.sentence, "stop": True}))
    return render(request, "_log.html", {"log": service_log.panel(service, role, problem=problem.sentence)})


def _service(request: HttpRequest, agent_id: str, name: str) -> Service:
    in_scope = Service.objects.visible_to(request.user).select_related("server__group")
    return get_object_or_404(in_scope.filter(server__agent_id=agent_id.replace("\0", "")).named(name)[:1])


def _read(request: HttpRequest, service: Service, uuid: str) -> Read | None:
    with suppress(ValidationError):  # no UUID
        return service_log.asked(request.user, service, uuid) if uuid else None
    return None
