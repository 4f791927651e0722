"""The pages about silences and maintenance windows."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.incidents import list_page
from alerts.models import Silence
from alerts.quiet import forms, live, pages, silences
from alerts.quiet.forms import EndForm, SilenceForm
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad


@access.viewer_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """What is silenced, and what will be, as far as the reader sees its servers."""
    return render(request, "silences.html", {**pages.listed(request.user), "version": live.version()})


@access.viewer_required
@require_safe
def detail(request: HttpRequest, number: int) -> HttpResponse:
    """One silence: when, of what, and what it keeps quiet now."""
    return _shown(request, _silence(request, number))


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The form for a new silence, filled from an incident's where the address names one; POST makes it."""
    about = pages.incident_of(request.user, request.GET.get("incident", ""))
    form = SilenceForm(request.POST if request.method == "POST" and "preview" not in request.POST else None)
    problem, status = "", 200
    if form.is_bound:
        try:
            return _made(request, form)
        except Problem as raised:
            problem, status = form.take(raised), raised.status_code
    data = request.POST if request.method == "POST" else forms.filled(request.user, about) | request.GET.dict()
    context = pages.form_context(request.user, form, data, about, problem)
    return render(request, "silence_form.html", context, status=status)


@access.operator_required
@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """What is in the form now comes to: so many servers, and when."""
    return render(request, "_silence_next.html", pages.preview(request.user, request.GET.dict()))


@access.operator_required
@require_POST
def change_end(request: HttpRequest, number: int) -> HttpResponseBase:
    """Give it another end."""
    silence, form = _silence(request, number), EndForm(request.POST)
    problem, status = "", 400
    if form.is_valid():
        try:
            silences.change_end(request.user, silence, form.moment("until"), client.address(request) or None)
            return redirect("silences:detail", number)
        except Problem as raised:
            problem, status = form.take(raised), raised.status_code
    return _shown(request, silence, problem, form, status)


@access.operator_required
@require_POST
def end(request: HttpRequest, number: int) -> HttpResponseBase:
    """End it now."""
    silence = _silence(request, number)
    try:
        silences.end(request.user, silence, client.address(request) or None)
    except Problem as raised:
        return _shown(request, silence, raised.sentence, status=raised.status_code)
    return redirect("silences:list")


def _shown(
    request: HttpRequest, silence: Silence, problem: str = "", form: EndForm | None = None, status: int = 200
) -> HttpResponse:
    """Its page, which is live: it asks for itself when a silence or an incident has moved."""
    moved = {"version": live.version(), "last": list_page.newest()}
    return render(request, "silence.html", pages.one(request.user, silence, problem, form) | moved, status=status)


def _made(request: HttpRequest, form: SilenceForm) -> HttpResponseBase:
    """Make it, unless a field is wrong, which Problem names: every one at once."""
    if not form.is_valid():
        raise bad(silences.wrong(request.user, form.plan(), timezone.now()))
    limits.hit("actions", f"user-{request.user.pk}")
    silences.make(request.user, form.plan(), client.address(request) or None)
    return redirect("silences:list")


def _silence(request: HttpRequest, number: int) -> Silence:
    mine = Silence.objects.visible_to(request.user).select_related("rule")
    return get_object_or_404(mine, pk=number)
