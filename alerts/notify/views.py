"""The pages of contacts: operators see who there is, admins make, change, try and delete them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alerts.models import Contact
from alerts.notify import checks, contacts, forms, models, page
from alerts.notify.forms import ContactForm
from alerts.rules import names
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad


@access.operator_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """The contacts, by name."""
    return render(request, "contacts.html", page.listed(_role(request)))


@access.admin_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The form for a new contact; POST makes it."""
    return _form(request, None, forms.fresh())


@access.admin_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The form with a contact in it; POST changes it."""
    contact = get_object_or_404(Contact, pk=pk)
    return _form(request, contact, forms.filled(contact))


@access.admin_required
@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send it a test."""
    return _moved(request, pk, contacts.try_out)


@access.admin_required
@require_POST
def enable(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Switch it on, or let a broken one be tried again."""
    return _moved(request, pk, contacts.enable)


@access.admin_required
@require_POST
def disable(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Switch it off."""
    return _moved(request, pk, contacts.disable)


@access.admin_required
@never_cache
@require_POST
def renew(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give a webhook a new secret, and show it once."""
    contact = get_object_or_404(Contact, pk=pk, kind=models.WEBHOOK)
    secret = contacts.renew_secret(request.user, contact, _address(request))
    return render(request, "contact_secret.html", {"contact": contact, "secret": secret})


@access.admin_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Ask before deleting (GET), then delete (POST)."""
    contact = get_object_or_404(Contact, pk=pk)
    if request.method == "POST":
        contacts.delete(request.user, contact, _address(request))
        return redirect("contacts:list")
    rules = [names.shown(rule.name) for rule in contact.rules.kept()]
    return render(request, "contact_delete.html", {"contact": contact, "rules": rules})


def _form(request: HttpRequest, changed: Contact | None, filled: dict[str, Any]) -> HttpResponseBase:
    if request.method != "POST":
        return render(request, "contact_form.html", page.form_context(ContactForm(changed=changed), filled))
    form = ContactForm(request.POST, changed=changed)
    try:
        return _saved(request, form)
    except Problem as raised:
        problem, status = form.take(raised), raised.status_code
    context = page.form_context(form, forms.typed(request.POST), problem)
    return render(request, "contact_form.html", context, status=status)


def _saved(request: HttpRequest, form: ContactForm) -> HttpResponseBase:
    """Save it, unless a field is wrong, which Problem names: every one at once."""
    if not form.is_valid():
        raise bad(checks.wrong(form.wanted(), form.changed))
    limits.hit("actions", f"user-{request.user.pk}")
    if form.changed:
        contacts.change(request.user, form.changed, form.wanted(), _address(request))
        return redirect("contacts:list")
    made = contacts.make(request.user, form.wanted(), _address(request))
    if made.secret:
        return render(request, "contact_secret.html", {"contact": made, "secret": made.secret})
    return redirect("contacts:list")


def _moved(request: HttpRequest, pk: int, move: Callable[[Any, Contact, str | None], object]) -> HttpResponseBase:
    """Make the move; the row as it is then for htmx, else the list."""
    contact = get_object_or_404(Contact, pk=pk)
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        move(request.user, contact, _address(request))
    except Problem as raised:
        context = page.listed(_role(request)) | {"problem": raised.sentence}
        return render(request, "contacts.html", context, status=raised.status_code)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "_contact_row.html", {"row": page.one(pk, _role(request))})
    return redirect("contacts:list")


def _role(request: HttpRequest) -> str:
    return access.role_of(request.user) or ""


def _address(request: HttpRequest) -> str | None:
    return client.address(request) or None
