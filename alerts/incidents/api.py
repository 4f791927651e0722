"""Incidents for programs: list, look at, and what people do with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as actions_wire
from alerts import person_moves, states
from alerts.incidents import api_docs, wire
from alerts.incidents.wire import Move
from alerts.models import Incident
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad
from servers.models import Server
from servers.query import Query

LIST_LENGTH, LIST_LENGTH_MOST = 100, 500
LIVE, ALL = "live", "all"
Call = Callable[[Any, Incident, Move, str | None], None]


class Incidents(access.ViewerApi):
    """The incidents on servers in the caller's scope, newest first; of many servers at once, the one of them."""

    @api_docs.listed
    def get(self, request: Request) -> Response:
        query = Query(request)
        limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
        state = query.one_of("state", ALL, [ALL, LIVE, *states.STATES])
        severity = query.one_of("severity", ALL, [ALL, *states.SEVERITIES])
        rule, agent, before = query.whole("rule", 0, 1, 2**31 - 1), query.text("server"), query.text("before")
        if before and not _is_uuid(before):
            query.wrong["before"] = "must be an incident's id, a UUID: that of the answer's `next`"
        query.check()
        found = _fetched(Incident.objects.visible_to(request.user))
        # On one server each is listed, also as a member: that is where it is.
        found = found.filter(server=_server(request, agent)) if agent else found.listed()
        found = found.filter(state__in=_states(state)) if state != ALL else found
        found = found.filter(severity=severity) if severity != ALL else found
        found = found.filter(rule=rule) if rule else found
        found = found.filter(pk__lt=_incident(request, before).pk) if before else found
        page = list(found.order_by("-pk")[: limit + 1])
        more = page[limit - 1].uuid if len(page) > limit else None
        return Response({"incidents": [wire.said(one) for one in page[:limit]], "next": more})


class OneIncident(access.ViewerApi):
    """One incident with all that is known of it."""

    @api_docs.get
    def get(self, request: Request, incident: str) -> Response:
        return Response(wire.whole(request.user, _incident(request, incident)))


class MoveIncident(access.OperatorApi):
    """Acknowledge, give back, comment, assign, snooze, wake or close."""

    @api_docs.move
    def post(self, request: Request, incident: str, move: str) -> Response:
        found = _incident(request, incident)
        if move not in MOVES:
            raise Problem(404, f"There is no such move; there are {', '.join(MOVES)}.")
        limits.hit("actions", f"user-{request.user.pk}")
        MOVES[move](request.user, found, _given(request), client.address(request._request) or None)
        return Response(wire.whole(request.user, _incident(request, incident)))


def _given(request: Request) -> Move:
    """The body; most moves need none."""
    sent = {name: request.META.get(name) for name in ("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")}
    if sent["CONTENT_LENGTH"] in (None, "", "0") and not sent["HTTP_TRANSFER_ENCODING"]:
        return Move()
    return actions_wire.read(request._request, wire.MOVES)


def _assign(user: Any, incident: Incident, given: Move, address: str | None) -> None:
    to = None
    if given.to is not None:
        to = User.objects.filter(username=given.to.replace("\0", "")).first()
        if to is None or not person_moves.may_have(to, incident):  # who there is, is not everybody's to know
            raise bad({"to": "must be the user name of an operator who sees this incident, or null"})
    person_moves.assign(user, incident, to, address)


def _snooze(user: Any, incident: Incident, given: Move, address: str | None) -> None:
    if (given.until is None) == (given.for_sec is None):
        raise bad({"until": "give a time, or forSec: one of both"})
    until = given.until or timezone.now() + timedelta(seconds=given.for_sec or 0)
    person_moves.snooze(user, incident, until, address)


MOVES: dict[str, Call] = {
    "acknowledge": lambda user, one, _given, address: person_moves.acknowledge(user, one, address),
    "unacknowledge": lambda user, one, _given, address: person_moves.unacknowledge(user, one, address),
    "comment": lambda user, one, given, address: person_moves.comment(user, one, given.text, address),
    "assign": _assign,
    "snooze": _snooze,
    "wake": lambda user, one, _given, address: person_moves.wake(user, one, address),
    "close": lambda user, one, given, address: person_moves.close_by_hand(user, one, given.reason, address),
}


def _states(given: str) -> tuple[str, ...]:
    return states.LIVE if given == LIVE else (given,)


def _fetched(incidents: models.QuerySet[Incident]) -> Any:
    return incidents.select_related("server", "whole", "assigned_to")


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _incident(request: Request, incident: str) -> Incident:
    if not _is_uuid(incident):
        raise Problem(404, "There is no such incident: its id is a UUID.")
    mine = _fetched(Incident.objects.visible_to(request.user)).select_related("rule")
    found: Incident | None = mine.filter(uuid=incident).first()
    if found is None:
        raise Problem(404, "There is no such incident in your scope.")
    return found


def _server(request: Request, agent: str) -> Server:
    server: Server | None = Server.objects.visible_to(request.user).filter(agent_id=agent.replace("\0", "")).first()
    if server is None:
        raise Problem(404, "There is no such server in your scope.")
    return server
