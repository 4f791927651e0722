"""The API about servers for users and their programs: now, and what is kept of before."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from pmonitor import problems
from pmonitor.access import ViewerApi
from servers import api_examples, api_shapes, history, past, proctable, state_history
from servers.api_shapes import refusals
from servers.models import Newest, Server
from servers.past import Snapshot
from servers.query import Query
from servers.querysets import ServerQuerySet
from servers.spells import shares

AT = OpenApiParameter("at", datetime, description="A past moment, ISO 8601 with its zone; now when left out.")
STATES = (
    "A minute with a sample is `up`, also one whose reports came later. Else `unknown` where the hub was away (`why`:"
    " stopped, asleep, clock set, database away) or nothing was recorded, and `silent` from the last report on where"
    " three were missed. Shares are percent to a tenth, 100 in all. Reports that came later count as long as readings"
    " by the minute are kept."
)
NO_SERVER = "No such server in your scope."


def _in_scope(request: Request) -> ServerQuerySet:
    servers: ServerQuerySet = Server.objects.visible_to(request.user).select_related("group", "newest")
    return servers.defer("newest__procs", "newest__raw_procs")


def one(request: Request, agent: str) -> Server:
    """The server of that id in the caller's scope, with its group and newest values; else the 404."""
    server: Server | None = _in_scope(request).filter(agent_id=agent.replace("\0", "")).first()
    if server is None:
        raise problems.Problem(404, NO_SERVER)
    return server


def within() -> timedelta:
    """How old a process table may be to still count as that of a moment."""
    return timedelta(seconds=max(60, settings.SILENT_AFTER_REPORTS * settings.REPORT_INTERVAL_SEC))


class Servers(ViewerApi):
    """The fleet."""

    @extend_schema(
        operation_id="list_servers",
        summary="The servers in your scope and their newest values",
        responses={200: api_examples.shown(api_shapes.Fleet)},
    )
    def get(self, request: Request) -> HttpResponse:
        servers = list(_in_scope(request).defer("newest__facts", "newest__recent_ts"))
        states = Counter(server.state for server in servers)
        fleet = api_shapes.Fleet(len(servers), dict(states), [api_shapes.summary(server) for server in servers])
        return api_shapes.answer(fleet)


class OneServer(ViewerApi):
    """One server."""

    @extend_schema(
        operation_id="get_server",
        summary="One server: newest values, facts, services, disks and the last 30 minutes",
        responses={200: api_examples.shown(api_shapes.Detail), **refusals(s404=NO_SERVER)},
    )
    def get(self, request: Request, agent: str) -> HttpResponse:
        server = one(request, agent)
        return api_shapes.answer(api_shapes.detail(server, past.recent([server.pk])[server.pk]))


class Processes(ViewerApi):
    """A server's processes."""

    @extend_schema(
        operation_id="get_processes",
        summary="A server's process table, now or at a past moment",
        parameters=[AT],
        responses={
            200: api_examples.shown(api_shapes.ProcessTable),
            **refusals(s400="A parameter is wrong; it is named.", s404="No such server, or no table of that moment."),
        },
    )
    def get(self, request: Request, agent: str) -> HttpResponse:
        at = moment(query := Query(request))
        query.check()
        server = one(request, agent)
        found = _table(server.pk, at)
        if not found:
            raise problems.Problem(404, f"There is no process table of {server.agent_id} at that moment.")
        table = api_shapes.ProcessTable(at or timezone.now(), found.sampled_at, found.procs_total, found.procs)
        return api_shapes.answer(table)


class History(ViewerApi):
    """A server's past readings."""

    @extend_schema(
        operation_id="get_history",
        summary="A metric of a server over time",
        parameters=[
            OpenApiParameter("metric", str, enum=list(history.METRICS), description="cpu when left out"),
            OpenApiParameter("from", datetime, description="ISO 8601 with its zone; an hour before `to` when left out"),
            OpenApiParameter("to", datetime, description="ISO 8601 with its zone; now when left out"),
            OpenApiParameter("points", int, description="at most so many, 2 to 2000; 300 when left out"),
        ],
        responses={
            200: api_examples.shown(api_shapes.History),
            **refusals(s400="A parameter is wrong; it is named.", s404=NO_SERVER),
        },
    )
    def get(self, request: Request, agent: str) -> HttpResponse:
        query = Query(request)
        metric = query.one_of("metric", "cpu", list(history.METRICS))
        end = min(query.moment("to", now := timezone.now()), now)
        start = query.moment("from", end - timedelta(hours=1))
        count = query.whole("points", 300, 2, 2000)
        if start >= end:
            query.wrong.setdefault("from", "expected a time before `to`")
        query.check()
        found = past.readings(one(request, agent).pk, start, end, count, [metric])
        return api_shapes.answer(api_shapes.History(metric, found.step, found.series[metric]))


class States(ViewerApi):
    """When a server was up."""

    @extend_schema(
        operation_id="get_states",
        summary="When a server was up, silent or booted, and when the hub itself was away and does not know",
        description=STATES,
        parameters=[
            OpenApiParameter("from", datetime, description="ISO 8601 with its zone; 30 days before `to` when left out"),
            OpenApiParameter("to", datetime, description="ISO 8601 with its zone; now when left out"),
        ],
        responses={
            200: api_examples.shown(api_shapes.States),
            **refusals(s400="A parameter is wrong; it is named.", s404=NO_SERVER),
        },
    )
    def get(self, request: Request, agent: str) -> HttpResponse:
        query, now = Query(request), timezone.now()
        end = min(query.moment("to", now), now)
        start = query.moment("from", end - timedelta(days=30))
        if start >= end:
            query.wrong.setdefault("from", "expected a time before `to`, and a past one")
        query.check()
        found = state_history.of(one(request, agent).pk, start, end)
        spells = [api_shapes.Spell(one.start, one.end, one.state, one.why or None) for one in found.spells]
        return api_shapes.answer(api_shapes.States(start, end, shares(found.spells), spells, found.boots))


def moment(query: Query) -> datetime | None:
    now = timezone.now()
    at = query.moment("at", now)
    if at > now + timedelta(seconds=5):
        query.wrong["at"] = "expected a past moment"
    return at if query.given.get("at") else None


def _table(server_id: int, at: datetime | None) -> Snapshot | None:
    """The server's newest process table, or that of a past moment."""
    if at is not None:
        return past.table(server_id, at, within())
    newest = Newest.objects.filter(server=server_id).only("sampled_at", "procs_total", "procs").first()
    return Snapshot(newest.sampled_at, 0.0, newest.procs_total, proctable.unpack(newest.procs)) if newest else None
