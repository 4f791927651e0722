"""Commands for programs: operators ask, list, cancel; agents take, acknowledge, hand in results, answer reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from actions import api_docs, ask, happened, lifecycle, queue, reads, records, states, wire
from actions.models import Command
from actions.querysets import CommandQuerySet
from pmonitor import access, client, limits
from pmonitor.problems import Problem
from servers import one
from servers.agents import AgentAuthentication
from servers.models import Server
from servers.query import Query

LIST_LENGTH, LIST_LENGTH_MOST = 100, 500


class AgentApi(APIView):
    """An API view for the agent that the path names; its server is `request.auth`."""

    authentication_classes = [AgentAuthentication]
    permission_classes = []


class Ask(access.OperatorApi):
    """Ask for an action on a server's service."""

    @api_docs.ask
    def post(self, request: Request, agent: str) -> Response:
        limits.hit("actions", f"user-{request.user.pk}")
        server = _server(request, agent)
        given = wire.read(request._request, wire.ASKS)
        asked = ask.ask(
            request.user,
            server,
            given.cmd,
            given.target,
            reason=given.reason,
            deliver_within=given.deliver_within_sec,
            execute_within=given.execute_within_sec,
            args=given.args,
            typed=given.typed,
            expect=msgspec.to_builtins(given.expect) if given.expect else None,
            address=client.address(request._request),
        )
        answer = {**records.short(asked.command), "joined": asked.joined}
        return Response(answer, status=200 if asked.joined else 201)


class Commands(access.ViewerApi):
    """Commands in the caller's scope, newest first."""

    @api_docs.commands
    def get(self, request: Request) -> Response:
        found, limit = _filtered(request)
        page = list(found.select_related("server", "schedule").order_by("-id")[: limit + 1])
        more = page[limit - 1].uuid if len(page) > limit else None
        return Response({"commands": [records.short(command) for command in page[:limit]], "next": more})


class OneCommand(access.ViewerApi):
    """One command with its moves and evidence."""

    @api_docs.command
    def get(self, request: Request, command: str) -> Response:
        return Response(records.whole(_command(request, command)))


class ServerEvents(access.ViewerApi):
    """What happened to a server's services, newest first."""

    @api_docs.server_events
    def get(self, request: Request, agent: str) -> Response:
        return _events(request, agent, None)


class ServiceEvents(access.ViewerApi):
    """What happened to one service, newest first."""

    @api_docs.service_events
    def get(self, request: Request, agent: str, name: str) -> Response:
        return _events(request, agent, name.replace("\0", ""))


class Cancel(access.OperatorApi):
    """Take a command back."""

    @api_docs.cancel
    def post(self, request: Request, command: str) -> Response:
        found = _command(request, command)
        lifecycle.cancel(request.user, found, client.address(request._request) or None)
        return Response(records.short(found))


@access.agent_only
class Poll(AgentApi):
    """Commands and reads for the agent, without waiting: what answers where no ASGI server runs queue.py in front."""

    @api_docs.poll
    def get(self, request: Request, agent: str) -> Response:
        queue.wait_of(request.META.get("QUERY_STRING", "").encode())
        found = queue.claimed(_caller(request), client.address(request._request))
        return Response(queue.given(found)) if found else Response(status=204)


@access.agent_only
class Acknowledge(AgentApi):
    """The agent starts the command, if the hub still wants it to."""

    @api_docs.acknowledge
    def post(self, request: Request, agent: str, command: str) -> Response:
        given = wire.read(request._request, wire.ACKS)
        state = lifecycle.acknowledge(_caller(request), _uuid(command), given.started_at, _address(request))
        return Response({"state": state}, status=200 if state == states.RUNNING else 409)


@access.agent_only
class Finish(AgentApi):
    """The agent hands in the evidence."""

    @api_docs.finish
    def post(self, request: Request, agent: str, command: str) -> Response:
        result = wire.read(request._request, wire.RESULTS)
        state = lifecycle.finish(_caller(request), _uuid(command), result, _address(request))
        return Response({"state": state}, status=409 if state in (states.QUEUED, states.DELIVERED) else 200)


@access.agent_only
class AnswerRead(AgentApi):
    """The agent answers what it was asked."""

    @api_docs.answer_read
    def post(self, request: Request, agent: str, read: str) -> Response:
        said = wire.read(request._request, wire.ANSWERS, wire.ANSWER_MAX_BYTES)
        reads.answer(_caller(request), _uuid(read), said)
        return Response({"taken": True})


def _caller(request: Request) -> Server:
    server: Any = request.auth
    assert isinstance(server, Server)  # noqa: S101 - AgentAuthentication lets nobody else in
    return server


def _address(request: Request) -> str | None:
    return client.address(request._request) or None


def _server(request: Request, agent: str) -> Server:
    server = one.visible_to(request.user, agent)
    if server is None:
        raise Problem(404, "There is no such server in your scope.")
    return server


def _command(request: Request, command: str) -> Command:
    mine = Command.objects.visible_to(request.user).select_related("server", "schedule")
    found: Command | None = mine.filter(uuid=_uuid(command)).first()
    if found is None:
        raise Problem(404, "There is no such command in your scope.")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(404, "There is no such id: it is a UUID.") from error


def _events(request: Request, agent: str, name: str | None) -> Response:
    query = Query(request)
    limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
    before = query.moment("before", timezone.now() + timedelta(seconds=1))
    query.check()
    told = happened.newest(_server(request, agent).pk, limit, name=name, before=before)
    following = told[-1].event.at if len(told) == limit else None
    return Response({"events": [records.event(one) for one in told], "next": following})


def _filtered(request: Request) -> tuple[CommandQuerySet, int]:
    query = Query(request)
    limit = query.whole("limit", LIST_LENGTH, 1, LIST_LENGTH_MOST)
    agent, before = query.text("agent"), query.text("before")
    wanted = [word for word in query.text("state").split(",") if word]
    if not set(wanted) <= set(states.STATES):
        query.wrong["state"] = f"expected some of {', '.join(states.STATES)}"
    query.check()
    found: CommandQuerySet = Command.objects.visible_to(request.user)
    if wanted:
        found = found.filter(state__in=wanted)
    if agent:
        found = found.filter(server=_server(request, agent))
    if before:
        found = found.filter(pk__lt=_command(request, before).pk)
    return found, limit
