"""The pages on which rules are seen, made and changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from alerts.models import Rule
from alerts.rules import changes, checks, choices, forms, names, page, scopes, trying, unmet, wanted
from alerts.rules import preview as previewing
from alerts.rules.forms import Filled
from alerts.rules.wanted import Wanted
from pmonitor import access, client, limits
from pmonitor.problems import Problem


@access.viewer_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """All rules, with how often each fired on the reader's servers."""
    return render(request, "rules.html", page.panel(request.user, _role(request), request.GET.dict()))


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The form for a new rule, filled from the address; POST makes it."""
    if request.method != "POST":
        return _shown(request, forms.read(_begun(request)))
    return _posted(request, None)


@access.viewer_required
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, number: int) -> HttpResponseBase:
    """A rule: in the form to who may change it, which POST does, else in words."""
    rule, role = _rule(request, number), _role(request)
    if role == access.VIEWER or not changes.may_change(request.user, rule):
        if request.method == "POST":
            raise PermissionDenied
        return render(request, "rule.html", page.one(request.user, role, rule))
    if request.method != "POST":
        return _shown(request, forms.read(request.GET, wanted.of(rule)), rule)
    return _posted(request, rule)


@access.operator_required
@require_safe
def clone(request: HttpRequest, number: int) -> HttpResponse:
    """The form for a new rule that is like this one."""
    return _shown(request, forms.filled(changes.copy_of(_rule(request, number))))


@access.operator_required
@require_safe
def fields(request: HttpRequest) -> HttpResponse:
    """The fields of the kind that is chosen in the form."""
    context = page.form_context(request.user, forms.read(request.GET))
    return render(request, "_rule_fields.html", context)


@access.operator_required
@require_safe
def matches(request: HttpRequest) -> HttpResponse:
    """How many servers the scope in the form means now."""
    return render(request, "_rule_matches.html", page.matches(request.user, request.GET.get("scope", "").strip()))


@access.operator_required
@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """What the rule in the form would have done in the last days."""
    return render(request, "_rule_preview.html", _previewed(request, forms.read(request.GET)))


@access.operator_required
@require_POST
def switch_on(request: HttpRequest, number: int) -> HttpResponseBase:
    """It watches from now on."""
    return _switched(request, number, True)


@access.operator_required
@require_POST
def switch_off(request: HttpRequest, number: int) -> HttpResponseBase:
    """It watches no more until it is switched on; its incidents close."""
    return _switched(request, number, False)


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, number: int) -> HttpResponseBase:
    """Ask before deleting (GET), then delete (POST)."""
    rule = _rule(request, number)
    if request.method == "POST":
        return _deleted(request, rule)
    if not changes.may_change(request.user, rule):
        raise PermissionDenied
    dialog = bool(request.htmx)  # type: ignore[attr-defined]
    context = {"rule": rule, "name": names.shown(rule.name), "live": rule.incidents.live().count(), "dialog": dialog}
    return render(request, "_rule_delete.html" if dialog else "rule_delete.html", context)


def _posted(request: HttpRequest, rule: Rule | None) -> HttpResponseBase:
    form = forms.read(request.POST, wanted.of(rule) if rule else None)
    if "again" in request.POST:  # without scripts: the fields of another kind, a preview
        return _again(request, form, rule)
    if form.errors:  # what can be read may be wrong, too
        wrong = checks.wrong(form.wanted, request.user, rule)
        return _shown(request, form, rule, forms.told(wrong), status=400)
    try:
        made = _saved(request, form.wanted, rule)
    except Problem as problem:
        errors, said = forms.told(problem.fields), "" if problem.fields else problem.sentence
        return _shown(request, form, rule, errors, said, status=problem.status_code)
    name = names.shown(made.name)
    messages.success(request, _("The rule “%(name)s” is saved.") % {"name": name}, "succeeded")
    for said in unmet.warnings(wanted.of(made)).values():
        messages.warning(request, _("“%(name)s”: %(said)s.") % {"name": name, "said": said}, "warning")
    return redirect("rules:list")


def _again(request: HttpRequest, form: Filled, rule: Rule | None) -> HttpResponse:
    """The form as it is filled in, and what else was asked for: nothing of it is saved."""
    if request.POST["again"] == "preview":
        return _shown(request, form, rule, **_previewed(request, form))
    if request.POST["again"] != "test":
        return _shown(request, form, rule)
    try:
        tested = trying.tried(request.user, {*form.contacts, *form.escalate_to}, client.address(request) or None)
    except Problem as problem:
        status = 200 if request.htmx else problem.status_code  # type: ignore[attr-defined]  # htmx shows no other
        return _shown(request, form, rule, tested={"problem": problem.sentence}, status=status)
    return _shown(request, form, rule, tested=tested)


def _begun(request: HttpRequest) -> QueryDict:
    """What the address says of a new rule; it is for the groups of who makes it, unless it says."""
    query = request.GET.copy()
    query.setdefault("scope", scopes.reach_of(request.user).line)
    return query


def _saved(request: HttpRequest, given: Wanted, rule: Rule | None) -> Rule:
    limits.hit("actions", f"user-{request.user.pk}")
    address = client.address(request) or None
    if rule:
        return changes.change(request.user, rule, given, request.POST.get("seen", ""), address)
    return changes.make(request.user, given, address)


def _shown(
    request: HttpRequest,
    form: Filled,
    rule: Rule | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The form; after somebody else's change it is the newer rule that saving again changes; of a deleted one, none."""
    newest = Rule.objects.kept().filter(pk=rule.pk).first() if rule and (problem or rule.deleted_at) else rule
    gone = bool(rule) and newest is None
    problem = changes.gone().sentence if gone else problem
    context = {**page.form_context(request.user, form, newest, errors, problem), "gone": gone, **more}
    return render(request, "rule.html", context, status=status)


def _previewed(request: HttpRequest, form: Filled) -> dict[str, Any]:
    if wrong := choices.wrong_to_watch(form):
        return {"preview_wrong": wrong}
    try:
        limits.hit("search-parts", f"user-{request.user.pk}")
    except Problem:
        return {"preview_busy": True}
    return previewing.context(request.user, form.wanted)


def _deleted(request: HttpRequest, rule: Rule) -> HttpResponseBase:
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        changes.delete(request.user, rule, client.address(request) or None)
    except Problem as problem:
        return _refused(request, problem)
    messages.success(request, _("The rule “%(name)s” is deleted.") % {"name": names.shown(rule.name)}, "succeeded")
    return redirect("rules:list")


def _switched(request: HttpRequest, number: int, enabled: bool) -> HttpResponseBase:
    """Switch it; its row as it is then for htmx, else the list."""
    rule = _rule(request, number)
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        rule = changes.switch(request.user, rule, enabled, client.address(request) or None)
    except Problem as problem:
        return _refused(request, problem)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("rules:list")
    return render(request, "_rule_row.html", {"row": page.row(request.user, _role(request), rule)})


def _refused(request: HttpRequest, problem: Problem) -> HttpResponseBase:
    """The list as it is, with what was said no to; the whole page also for htmx."""
    said = " ".join(problem.fields.values()) or problem.sentence
    messages.error(request, said, "failed")
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(reverse("rules:list"))
    return redirect("rules:list")


def _rule(request: HttpRequest, number: int) -> Rule:
    """The rule of the address; to change it, which POST does, also one that was deleted, which changes.py then says."""
    if request.method == "POST":
        return get_object_or_404(Rule.objects.once_visible_to(request.user), pk=number)
    return get_object_or_404(Rule.objects.visible_to(request.user), pk=number)


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or ""
