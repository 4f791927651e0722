"""The pages on which commands are scheduled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from actions.schedules import forms, moves, pages
from actions.schedules.forms import ScheduleForm
from actions.schedules.models import Schedule
from pmonitor import access, client, limits
from pmonitor.problems import Problem


@access.viewer_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The schedules on the servers in the reader's scope."""
    return render(request, "schedules.html", pages.listed(request.user, request.GET.dict()))


@access.viewer_required
@require_safe
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One schedule: when it runs, in whose name, and what came of its runs."""
    return render(request, "schedule.html", pages.one(_schedule(request, uuid), _role(request)))


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The form for a new schedule, filled from the address; POST makes it."""
    return _form(request, None, request.GET.dict())


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """The form with a schedule in it; POST changes it."""
    schedule = _schedule(request, uuid)
    return _form(request, schedule, forms.filled(schedule))


@access.operator_required
@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """The next five times of what is in the form now."""
    return render(request, "_schedule_next.html", pages.preview(request.user, request.GET.dict()))


@access.operator_required
@require_POST
def pause(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """It does not run until it is resumed."""
    return _moved(request, uuid, moves.pause)


@access.operator_required
@require_POST
def resume(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """It runs again, in the name of whoever resumes it."""
    return _moved(request, uuid, moves.resume)


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Ask before deleting (GET), then delete (POST)."""
    schedule = _schedule(request, uuid)
    if request.method == "POST":
        moves.delete(request.user, schedule, client.address(request) or None)
        return redirect("schedules:list")
    return render(request, "schedule_delete.html", pages.one(schedule, _role(request)))


def _form(request: HttpRequest, changed: Schedule | None, filled: dict[str, Any]) -> HttpResponseBase:
    if request.method != "POST":
        form = ScheduleForm(request.user, changed=changed)
        return render(request, "schedule_form.html", pages.form_context(request.user, form, filled))
    form = ScheduleForm(request.user, request.POST, changed=changed)
    if "preview" in request.POST:  # without scripts
        unbound = ScheduleForm(request.user, changed=changed)
        return render(request, "schedule_form.html", pages.form_context(request.user, unbound, request.POST.dict()))
    problem, status = "", 400
    if form.is_valid():
        try:
            return redirect("schedules:detail", _save(request, form).uuid)
        except Problem as raised:
            problem, status = form.take(raised), raised.status_code
    context = pages.form_context(request.user, form, request.POST.dict(), problem)
    return render(request, "schedule_form.html", context, status=status)


def _save(request: HttpRequest, form: ScheduleForm) -> Schedule:
    limits.hit("actions", f"user-{request.user.pk}")
    address = client.address(request) or None
    if form.changed:
        moves.change(request.user, form.changed, form.plan(), address)
        return form.changed
    assert form.where is not None  # noqa: S101 - a valid form has found it
    return moves.make(request.user, form.where, form.plan(), address)


def _moved(request: HttpRequest, uuid: UUID, move: Callable[..., None]) -> HttpResponseBase:
    """Make the move; the article as it is then for htmx, else its page."""
    problem = ""
    try:
        move(request.user, _schedule(request, uuid), client.address(request) or None)
    except Problem as raised:
        problem = raised.sentence
    htmx = request.htmx  # type: ignore[attr-defined]
    if not htmx and not problem:
        return redirect("schedules:detail", uuid)
    shown = pages.one(_schedule(request, uuid), _role(request))
    return render(request, "_schedule.html" if htmx else "schedule.html", {**shown, "problem": problem})


def _schedule(request: HttpRequest, uuid: UUID) -> Schedule:
    in_scope = Schedule.objects.visible_to(request.user).select_related("server")
    return get_object_or_404(in_scope, uuid=uuid)


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or ""
