"""Silences and maintenance windows for programs: list, make, look at, change the end, end."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils import timezone
from msgspec import UNSET
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as actions_wire
from alerts.models import Silence
from alerts.quiet import api_docs, silences, wire
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad
from servers.query import Query

LIST_LENGTH, LIST_LENGTH_MOST = 100, 500


class Silences(access.ViewerApi):
    """The silences for servers in the caller's scope, newest first; an operator makes one."""

    @api_docs.listed
    def get(self, request: Request) -> Response:
        query = Query(request)
        limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
        before = query.whole("before", 2**31 - 1, 1, 2**31 - 1)
        which = query.one_of("state", "all", ["all", "current", "over"])
        query.check()
        now = timezone.now()
        found = Silence.objects.visible_to(request.user).filter(pk__lt=before).select_related("rule")
        if which != "all":
            current = silences.not_over(now).values("pk")
            found = found.filter(pk__in=current) if which == "current" else found.exclude(pk__in=current)
        page = list(found.order_by("-pk")[: limit + 1])
        more = page[limit - 1].pk if len(page) > limit else None
        return Response({"silences": [wire.said(one, now) for one in page[:limit]], "next": more})

    @api_docs.make
    def post(self, request: Request) -> Response:
        _only_operators(request)
        limits.hit("actions", f"user-{request.user.pk}")
        plan = wire.plan(actions_wire.read(request._request, wire.NEWS))
        made = silences.make(request.user, plan, _address(request))
        return Response(wire.said(made, timezone.now()), status=201)


class OneSilence(access.ViewerApi):
    """One silence; an operator gives it another end."""

    @api_docs.get
    def get(self, request: Request, number: int) -> Response:
        return Response(wire.said(_silence(request, number), timezone.now()))

    @api_docs.change
    def patch(self, request: Request, number: int) -> Response:
        _only_operators(request)
        limits.hit("actions", f"user-{request.user.pk}")
        silence = _silence(request, number)
        given = actions_wire.read(request._request, wire.CHANGES)
        if given.ends_at is UNSET:
            raise bad({"endsAt": "is the one thing that can be changed: a time, or null for windows without an end"})
        silences.change_end(request.user, silence, given.ends_at, _address(request))
        return Response(wire.said(silence, timezone.now()))


class EndOfSilence(access.OperatorApi):
    """End it now."""

    @api_docs.end
    def post(self, request: Request, number: int) -> Response:
        limits.hit("actions", f"user-{request.user.pk}")
        silence = _silence(request, number)
        silences.end(request.user, silence, _address(request))
        return Response(wire.said(silence, timezone.now()))


def _only_operators(request: Request) -> None:
    if not access.has_role(request.user, access.OPERATOR):
        raise PermissionDenied


def _silence(request: Request, number: int) -> Silence:
    mine = Silence.objects.visible_to(request.user).select_related("rule")
    found: Silence | None = mine.filter(pk=number).first()
    if found is None:
        raise Problem(404, "There is no such silence in your scope.")
    return found


def _address(request: Request) -> str | None:
    return client.address(request._request) or None
