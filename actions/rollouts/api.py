"""Rollouts for programs: plan, start, list, follow, and their ways on."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as command_wire
from actions.rollouts import api_docs, page, records, start, states, ways_on, wire
from actions.rollouts.models import Rollout
from pmonitor import access, client, limits
from pmonitor.problems import Problem
from servers.query import Query

LIST_LENGTH, LIST_LENGTH_MOST = 50, 200


class Rollouts(access.ViewerApi):
    """The rollouts in the caller's scope, newest first; operators start one."""

    @api_docs.rollouts
    def get(self, request: Request) -> Response:
        query = Query(request)
        limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
        before, state = query.whole("before", 2**31 - 1, 1, 2**31 - 1), query.text("state")
        if state and state not in states.STATES:
            query.wrong["state"] = f"expected one of {', '.join(states.STATES)}"
        query.check()
        found = Rollout.objects.visible_to(request.user).filter(pk__lt=before)
        listed = list((found.filter(state=state) if state else found)[: limit + 1])
        shown = [records.short(rollout, page.steps_of(rollout)) for rollout in listed[:limit]]
        return Response({"rollouts": shown, "next": listed[limit - 1].pk if len(listed) > limit else None})

    @api_docs.start
    def post(self, request: Request) -> Response:
        if not access.has_role(request.user, access.OPERATOR):
            raise PermissionDenied
        given = command_wire.read(request._request, wire.ASKS)
        wanted = wire.wanted(given)
        if given.dry_run:
            return Response(records.planned(start.planned(request.user, wanted)))
        limits.hit("actions", f"user-{request.user.pk}")
        address = client.address(request._request) or None
        rollout = start.start(request.user, wanted, wire.confirmed(given), address)
        return Response(records.whole(rollout), status=201)


class OneRollout(access.ViewerApi):
    """One rollout with each of its servers."""

    @api_docs.rollout
    def get(self, request: Request, number: int) -> Response:
        return Response(records.whole(_rollout(request, number)))


class Way(access.OperatorApi):
    """Halt, resume, retry, skip or end."""

    @api_docs.way
    def post(self, request: Request, number: int, way: str) -> Response:
        rollout = _rollout(request, number)
        if way not in states.WAYS_ON:
            raise Problem(404, f"There is no such way on; there are {', '.join(states.WAYS_ON)}.")
        given = command_wire.read(request._request, wire.WAYS)
        limits.hit("actions", f"user-{request.user.pk}")
        address = client.address(request._request) or None
        ways_on.tell(request.user, rollout, way, given.reason, given.moves, address)
        return Response(records.whole(_rollout(request, number)))


def _rollout(request: Request, number: int) -> Rollout:
    rollout: Rollout | None = Rollout.objects.visible_to(request.user).filter(pk=number).first()
    if rollout is None:
        raise Problem(404, "There is no such rollout in your scope.")
    return rollout
