"""The pages on which commands are confirmed and followed, and the audit trail is read."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from actions import (
    ask,
    audit_page,
    command_page,
    confirmation,
    export,
    impact,
    lifecycle,
    service_rows,
    states,
    verbs,
    waiting,
)
from actions.ask import Asked
from actions.confirmation import Confirmation
from actions.models import Command
from pmonitor import access, client, limits
from pmonitor.problems import Problem
from pmonitor.visible import visible
from servers.models import Service
from servers.states import SILENT


@access.operator_required
def confirm(request: HttpRequest, agent_id: str, name: str, cmd: str) -> HttpResponseBase:
    """Ask before acting (GET), then act (POST): the dialog's fragment for htmx, else a page of its own."""
    service = _service(request, agent_id, name, cmd)
    if request.method != "POST":
        return _ask_again(request, service, cmd)
    form = Confirmation(request.POST, cmd)
    if not form.is_valid():
        return _ask_again(request, service, cmd, form, status=400)
    if moved := form.moved(service):
        return _ask_again(request, service, cmd, form, moved, 409)
    try:
        asked = _ask(request, service, cmd, form)
    except Problem as problem:
        return _ask_again(request, service, cmd, form, form.take(problem), problem.status_code, problem.headers)
    return _asked(request, service, asked)


@access.viewer_required
@require_safe
def command(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One command: its steps live, who gave it and why, what came of it and what proves that."""
    found = _command(request, uuid)
    return render(request, "command.html", command_page.context(found, access.role_of(request.user) or ""))


@access.operator_required
@require_POST
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Take a command back while it is queued."""
    found, problem = _command(request, uuid), ""
    try:
        lifecycle.cancel(request.user, found, client.address(request) or None)
    except Problem as raised:
        problem = raised.sentence
    if request.htmx and waiting.may_watch(request.user, request.POST.get("waiting", "")):  # type: ignore[attr-defined]
        return _waiting(request, problem)
    if not request.htmx and not problem:  # type: ignore[attr-defined]
        return redirect("actions:command", uuid)
    shown = command_page.context(_command(request, uuid), access.role_of(request.user) or "")
    template = "_command.html" if request.htmx else "command.html"  # type: ignore[attr-defined]
    return render(request, template, {**shown, "problem": problem})


@access.viewer_required
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The audit trail of the servers in the reader's scope."""
    return render(request, "audit.html", audit_page.context(request.user, request.GET))


@access.viewer_required
@require_safe
def audit_newer(request: HttpRequest) -> HttpResponse:
    """The sentence that newer records came, which an open page asks for when it hears of one."""
    count, address = audit_page.newer(request.user, request.GET)
    return render(request, "_audit_newer.html", {"count": count, "address": address})


@access.viewer_required
@require_safe
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """The records that match the page's filters, as a file."""
    entries, errors = export.filtered(request.user, request.GET.dict())
    if errors:
        return render(request, "audit.html", audit_page.context(request.user, request.GET), status=400)
    name = f"audit-{timezone.now():%Y%m%d-%H%M%S}.csv"
    lines = export.csv_rows(entries)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _waiting(request: HttpRequest, problem: str) -> HttpResponse:
    """The panel of what waits, on the page that asked out of it."""
    kind, _, key = request.POST["waiting"].partition(":")
    shown = waiting.context(kind, key, access.role_of(request.user) or "")
    shown["waiting"]["problem"] = problem
    return render(request, "_waiting.html", shown)


def _service(request: HttpRequest, agent_id: str, name: str, cmd: str) -> Service:
    if cmd not in (*states.SERVICE_VERBS, *states.LEASE_VERBS):
        raise Http404
    in_scope = Service.objects.visible_to(request.user).select_related("server__group")
    return get_object_or_404(in_scope.filter(server__agent_id=agent_id.replace("\0", "")).named(name)[:1])


def _command(request: HttpRequest, uuid: UUID) -> Command:
    in_scope = Command.objects.visible_to(request.user).select_related("server")
    return get_object_or_404(in_scope, uuid=uuid)


def _ask(request: HttpRequest, service: Service, cmd: str, form: Confirmation) -> Asked:
    limits.hit("actions", f"user-{request.user.pk}")
    return ask.ask(
        request.user,
        service.server,
        cmd,
        service.name,
        reason=form.cleaned_data["reason"],
        deliver_within=form.cleaned_data["deliver_within"],
        args=form.args(),
        # A server that is away may come back with other processes: what is kept for it is meant for those, too.
        expect=form.expect() if service.server.state != SILENT else None,
        typed=form.cleaned_data["typed"],
        address=client.address(request),
    )


def _ask_again(
    request: HttpRequest,
    service: Service,
    cmd: str,
    form: Confirmation | None = None,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    context = confirmation.context(service, cmd, form, problem, request.GET.get("lent", ""))
    context["found"] = impact.asked(request.user, service, cmd, client.address(request))
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "_confirm.html", {**context, "dialog": True})  # htmx swaps in no other status than 200
    response = render(request, "confirm.html", context, status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _asked(request: HttpRequest, service: Service, asked: Asked) -> HttpResponseBase:
    """On the server page (htmx) the row as it is now and a word about the command; else the command's page."""
    address = reverse("actions:command", args=[asked.command.uuid])
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(address)
    if (request.htmx.current_url_abs_path or "").startswith("/commands/"):  # type: ignore[attr-defined]
        return HttpResponse(headers={"HX-Redirect": address})
    row = service_rows.html(service_rows.one(service), service.server.agent_id, acting=True, oob=True)
    one = asked.command
    words = {"asked": asked, "row": row, "title": verbs.titled(one.cmd, visible(one.target), one.args)}
    response = render(request, "_asked.html", words)
    response["HX-Trigger-After-Swap"] = "pm:asked"  # confirm.js closes the dialog
    return response
