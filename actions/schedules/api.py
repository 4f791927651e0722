"""Schedules for programs: list, make, look at, change, delete."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as actions_wire
from actions import zones
from actions.models import Command
from actions.schedules import api_docs, moves, wire
from actions.schedules.models import Schedule
from actions.schedules.moves import Plan
from pmonitor import access, client, limits
from pmonitor.problems import Problem
from servers.models import Server
from servers.query import Query

LIST_LENGTH, LIST_LENGTH_MOST = 100, 500
COMMANDS = 50
CHANGED = ("reason", "once_at", "cron", "deliver_within_sec", "execute_within_sec", "typed")


class Schedules(access.ViewerApi):
    """The schedules in the caller's scope, newest first; an operator makes one."""

    @api_docs.listed
    def get(self, request: Request) -> Response:
        query = Query(request)
        limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
        agent, before = query.text("agent"), query.text("before")
        query.check()
        found = Schedule.objects.visible_to(request.user).select_related("server").order_by("-id")
        if agent:
            found = found.filter(server=_server(request, agent))
        if before:
            found = found.filter(pk__lt=_schedule(request, before).pk)
        page = list(found[: limit + 1])
        more = page[limit - 1].uuid if len(page) > limit else None
        return Response({"schedules": [wire.said(schedule) for schedule in page[:limit]], "next": more})

    @api_docs.make
    def post(self, request: Request) -> Response:
        _only_operators(request)
        limits.hit("actions", f"user-{request.user.pk}")
        given = actions_wire.read(request._request, wire.NEWS)
        server = _server(request, given.agent)
        plan = Plan(
            cmd=given.cmd,
            target=given.target,
            reason=given.reason,
            once_at=given.once_at,
            cron=given.cron.strip(),
            zone=given.time_zone or zones.of_server(server.pk),
            deliver_within_sec=given.deliver_within_sec,
            execute_within_sec=given.execute_within_sec,
            args=given.args,
            typed=given.typed,
        )
        return Response(wire.whole(moves.make(request.user, server, plan, _address(request)), []), status=201)


class OneSchedule(access.ViewerApi):
    """One schedule; an operator changes or deletes it."""

    @api_docs.get
    def get(self, request: Request, schedule: str) -> Response:
        return Response(_whole(_schedule(request, schedule)))

    @api_docs.change
    def patch(self, request: Request, schedule: str) -> Response:
        _only_operators(request)
        limits.hit("actions", f"user-{request.user.pk}")
        found = _schedule(request, schedule)
        _change(request, found, actions_wire.read(request._request, wire.CHANGES))
        return Response(_whole(found))

    @api_docs.delete
    def delete(self, request: Request, schedule: str) -> Response:
        _only_operators(request)
        moves.delete(request.user, _schedule(request, schedule), _address(request))
        return Response(status=204)


def _change(request: Request, schedule: Schedule, given: wire.Change) -> None:
    """All of it or nothing."""
    new: dict[str, Any] = {name: getattr(given, name) for name in CHANGED if getattr(given, name) is not None}
    if given.time_zone is not None:
        new["zone"] = given.time_zone or zones.of_server(schedule.server_id)
    if given.cron and given.once_at is None:
        new["once_at"] = None
    if given.once_at is not None and given.cron is None:
        new["cron"] = ""
    with transaction.atomic():
        if new:
            moves.change(request.user, schedule, moves.plan_of(schedule)._replace(**new), _address(request))
        if given.enabled is not None and given.enabled != schedule.enabled:
            move = moves.resume if given.enabled else moves.pause
            move(request.user, schedule, _address(request))


def _only_operators(request: Request) -> None:
    if not access.has_role(request.user, access.OPERATOR):
        raise PermissionDenied


def _whole(schedule: Schedule) -> dict[str, Any]:
    commands = Command.objects.filter(schedule=schedule).select_related("server")[:COMMANDS]
    return wire.whole(schedule, list(commands))


def _server(request: Request, agent: str) -> Server:
    server: Server | None = Server.objects.visible_to(request.user).filter(agent_id=agent.replace("\0", "")).first()
    if server is None:
        raise Problem(404, "There is no such server in your scope.")
    return server


def _schedule(request: Request, schedule: str) -> Schedule:
    try:
        uuid = UUID(schedule)
    except ValueError as error:
        raise Problem(404, "There is no such schedule: its id is a UUID.") from error
    mine = Schedule.objects.visible_to(request.user).select_related("server")
    found: Schedule | None = mine.filter(uuid=uuid).first()
    if found is None:
        raise Problem(404, "There is no such schedule in your scope.")
    return found


def _address(request: Request) -> str | None:
    return client.address(request._request) or None
