"""What people ask of incidents on their pages: plain forms, answered by the page or the row as it is then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from alerts import person_moves
from alerts.incidents import acknowledging, incident_page, list_page
from alerts.incidents.shown import Shown
from alerts.incidents.views import incident_of, shown_page
from alerts.models import Incident
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad


@access.operator_required
@require_POST
def move(request: HttpRequest, uuid: UUID, move: str) -> HttpResponseBase:
    """Make one of MOVES; its page or, where its list's row asks, the row."""
    if move not in MOVES:
        raise Http404
    incident, said = incident_of(request, uuid), ""
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        MOVES[move](request.user, incident, request.POST, client.address(request) or None)
    except Problem as problem:
        if not _from_row(request):
            return _wrong(request, uuid, problem, text=request.POST.get("text", ""))
        said = problem.sentence
    if _from_row(request):
        return _row(request, incident, said)
    return redirect("incidents:one", uuid)


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Ask before closing by hand (GET), then close (POST)."""
    incident = incident_of(request, uuid)
    if request.method != "POST":
        part = incident_page.part(request.user, incident) if incident.server_id is None else None
        return _asking(request, "close", {"shown": Shown(incident), "part": part})
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        person_moves.close_by_hand(
            request.user, incident, request.POST.get("reason", ""), client.address(request) or None
        )
    except Problem as problem:
        return _wrong(request, uuid, problem)
    return redirect("incidents:one", uuid)


@access.operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge_all(request: HttpRequest) -> HttpResponseBase:
    """Say which incidents that means (GET), then take those of them that are open still (POST)."""
    wanted = list_page.asked(request.GET)
    if request.method != "POST":
        return _asking(request, "acknowledge_all", acknowledging.context(request.user, wanted))
    try:
        limits.hit("actions", f"user-{request.user.pk}")
        acknowledging.take(request.user, wanted, request.POST.get("upto", ""), client.address(request) or None)
    except Problem as problem:
        said = {**acknowledging.context(request.user, wanted), "problem": problem.sentence}
        return _asking(request, "acknowledge_all", said, problem.status_code)
    return redirect(acknowledging.back(wanted))


def _asking(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The question as a dialog's fragment for htmx, else as a page of its own."""
    fragment = f"_incident_{name}.html"
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, fragment, {**context, "dialog": True})
    return render(request, "incident_confirm.html", {**context, "fragment": fragment}, status=status)


def _wrong(request: HttpRequest, uuid: UUID, problem: Problem, **typed: str) -> HttpResponse:
    """The incident's page as it is now, with what was wrong."""
    errors = {name: said for name, said in problem.fields.items() if name in FIELDS}
    said = {"problem": "" if errors else problem.sentence, "errors": errors}
    return shown_page(request, incident_of(request, uuid), problem.status_code, **said, **typed)


def _from_row(request: HttpRequest) -> bool:
    return bool(request.htmx and request.POST.get("row"))  # type: ignore[attr-defined]


def _row(request: HttpRequest, incident: Incident, said: str) -> HttpResponse:
    """Its row as it is now; where nobody has it still, with what was said. Whoever was faster, the row names."""
    found = list_page.one(request.user, incident)
    return render(request, "_incident_row.html", {"row": found, "acting": True, "said": said})


# The moves: (user, incident, what was sent, address). Each raises Problem.

Move = Callable[[Any, Incident, QueryDict, str | None], None]


def _assign(user: Any, incident: Incident, said: QueryDict, address: str | None) -> None:
    number = said.get("to", "")
    to = User.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 10 else None
    if number and to is None:
        raise bad({"to": _("must be somebody who sees this incident and may acknowledge it")})
    person_moves.assign(user, incident, to, address)


def _snooze(user: Any, incident: Incident, said: QueryDict, address: str | None) -> None:
    minutes = said.get("minutes", "")
    if minutes not in {str(choice) for choice, _word in incident_page.SNOOZES}:
        raise bad({"minutes": _("Choose one of the times.")})
    person_moves.snooze(user, incident, timezone.now() + timedelta(minutes=int(minutes)), address)


MOVES: dict[str, Move] = {
    "acknowledge": lambda user, incident, _said, address: person_moves.acknowledge(user, incident, address),
    "give-back": lambda user, incident, _said, address: person_moves.unacknowledge(user, incident, address),
    "comment": lambda user, incident, said, address: person_moves.comment(
        user, incident, said.get("text", ""), address
    ),
    "assign": _assign,
    "snooze": _snooze,
    "wake": lambda user, incident, _said, address: person_moves.wake(user, incident, address),
}
FIELDS = ("text", "to", "minutes", "reason")
