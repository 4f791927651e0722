"""The page on which a process is signalled or reniced."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from actions import ask, processes, sending, verbs
from actions.ask import Asked
from actions.sending import Sending
from pmonitor import access, client, limits
from pmonitor.problems import Problem
from pmonitor.visible import visible
from servers import server_page
from servers.models import Server


@access.operator_required
def process(request: HttpRequest, agent_id: str, pid: int, ticks: int) -> HttpResponseBase:
    """Ask before acting (GET; do: what is chosen first), then act (POST): a fragment for htmx, else a page."""
    server = server_page.find(request.user, agent_id)
    if request.method != "POST":
        return _ask_again(request, sending.context(server, pid, ticks, do=request.GET.get("do", "")))
    form = Sending(request.POST, server)
    if not form.is_valid():
        return _ask_again(request, sending.context(server, pid, ticks, form=form), 400)
    try:
        asked = _ask(request, server, form, pid, ticks)
    except Problem as problem:
        again = sending.context(server, pid, ticks, form=form, problem=problem.sentence)
        return _ask_again(request, again, problem.status_code, problem.headers)
    return _asked(request, asked)


def _ask(request: HttpRequest, server: Server, form: Sending, pid: int, ticks: int) -> Asked:
    limits.hit("actions", f"user-{request.user.pk}")
    cmd, args = form.command(pid, ticks)
    return ask.ask(
        request.user,
        server,
        cmd,
        processes.target(form.cleaned_data["name"], pid),
        reason=form.cleaned_data["reason"],
        deliver_within=form.cleaned_data["deliver_within"],
        args=args,
        address=client.address(request),
    )


def _ask_again(
    request: HttpRequest, context: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "_sending.html", {**context, "dialog": True})  # htmx swaps in no other status than 200
    response = render(request, "sending.html", context, status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _asked(request: HttpRequest, asked: Asked) -> HttpResponseBase:
    """On the server page (htmx) a word about the command; else the command's page."""
    command = asked.command
    address = reverse("actions:command", args=[command.uuid])
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(address)
    if (request.htmx.current_url_abs_path or "").startswith("/commands/"):  # type: ignore[attr-defined]
        return HttpResponse(headers={"HX-Redirect": address})
    title = verbs.titled(command.cmd, visible(command.target), command.args)
    response = render(request, "_asked.html", {"asked": asked, "row": "", "title": title})
    response["HX-Trigger-After-Swap"] = "pm:asked"  # confirm.js closes the dialog
    return response
