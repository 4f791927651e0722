"""The pages of rollouts: the list, planning and starting one, following it, and its ways on."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from actions.rollouts import forms, list_page, new_page, page, start, states, way_page, ways_on
from actions.rollouts.forms import RolloutForm
from actions.rollouts.models import Rollout
from actions.rollouts.start import Confirmed
from pmonitor import access, client, limits
from pmonitor.problems import Problem

CONFIRMED = ("reason", "count", "typed")  # fields beside the plan


@access.viewer_required
@require_safe
def rollouts(request: HttpRequest) -> HttpResponse:
    """The rollouts whose servers are all in the reader's scope, newest first."""
    acting = access.has_role(request.user, access.OPERATOR)
    return render(request, "rollouts.html", {**list_page.context(request.user, request.GET), "acting": acting})


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """Choose and see the plan (GET), then start it (POST to the plan's own address)."""
    form = forms.filled(request.user, request.GET)
    if not request.GET.get("target"):
        return render(
            request, "rollout_new.html", new_page.context(request.user, forms.unfilled(request.user, request.GET))
        )
    if not form.is_valid():
        return _plan_again(request, form, status=400)
    if request.method != "POST":
        return _plan_again(request, form)
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        rollout = _start(request, form)
    except Problem as problem:
        return _plan_again(request, form, problem, problem.status_code)
    return redirect("rollouts:one", rollout.pk)


@access.viewer_required
@require_safe
def one(request: HttpRequest, number: int) -> HttpResponse:
    """One rollout, live."""
    shown = page.context(_rollout(request, number), access.role_of(request.user) or "")
    batch_html = [html for name, html in shown["fragments"].items() if name.startswith("batch-")]
    return render(request, "rollout.html", {**shown, "batch_html": batch_html})


@access.operator_required
def way(request: HttpRequest, number: int, way: str) -> HttpResponseBase:
    """Ask before a way on (GET), then go it (POST): the dialog's fragment for htmx, else a page of its own."""
    rollout = _rollout(request, number)
    if way not in states.WAYS_ON:
        raise Http404
    if request.method != "POST":
        return _ask_again(request, way_page.context(rollout, way))
    seen, reason = request.POST.get("seen", ""), request.POST.get("reason", "")
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        ways_on.tell(request.user, rollout, way, reason, way_page.number(seen), client.address(request) or None)
    except Problem as problem:
        return _ask_again(request, way_page.context(_rollout(request, number), way, problem, reason), problem)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("rollouts:one", number)
    now = _rollout(request, number)
    response = HttpResponse(page.state_html(now, page.steps_of(now), acting=True, oob=True))
    response["HX-Trigger-After-Swap"] = "pm:asked"  # confirm.js closes the dialog
    return response


def _rollout(request: HttpRequest, number: int) -> Rollout:
    return get_object_or_404(Rollout.objects.visible_to(request.user), pk=number)


def _start(request: HttpRequest, form: RolloutForm) -> Rollout:
    said, typed = request.POST, request.POST.get("count", "").strip()
    count = way_page.number(typed) if typed else None
    confirmed = Confirmed(said.get("reason", ""), count, said.get("typed", "")[:255], said.get("seen", ""))
    return start.start(request.user, form.wanted(), confirmed, client.address(request) or None)


def _plan_again(
    request: HttpRequest, form: RolloutForm, problem: Problem | None = None, status: int = 200
) -> HttpResponse:
    shown: dict[str, Any] = {**new_page.context(request.user, form), "query": request.GET.urlencode()}
    if form.is_valid():
        try:
            made = start.planned(request.user, form.wanted())
            query = request.GET.copy()
            query["seed"] = form.data["seed"]  # a mixed order is confirmed as it was seen
            shown |= {**new_page.planned(form, made), "query": query.urlencode()}
        except Problem as raised:
            problem, status = raised, raised.status_code
    if problem:
        known = {name: said for name, said in problem.fields.items() if name in CONFIRMED}
        said = "" if known and len(known) == len(problem.fields) else problem.sentence
        shown |= {"problem": said, "errors": known}
    shown |= {name: request.POST.get(name, "") for name in CONFIRMED}
    return render(request, "rollout_new.html", shown, status=status)


def _ask_again(request: HttpRequest, context: dict[str, Any], problem: Problem | None = None) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "_rollout_confirm.html", {**context, "dialog": True})  # htmx swaps in no other than 200
    return render(request, "rollout_confirm.html", context, status=problem.status_code if problem else 200)
