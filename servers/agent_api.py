"""The API for agents: register, report. Reports usually come by report_lane.py, which answers the same."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from pmonitor import client, limits
from pmonitor.access import agent_only, public
from servers import bodies, enrolment, ingest, intake, wire
from servers.agents import AgentAuthentication
from servers.api_shapes import Received, Registered, answer, refusals, schema
from servers.models import Server

MINIMAL = {
    "agentId": "srv-redis-01",
    "ts": 1726147200,
    "procs": [{"name": "redis-server", "pid": 123, "cpu": 1.2, "memMB": 78, "status": "running"}],
    "load": {"cpu": 8.9, "memUsedMB": 2048, "memTotalMB": 8192},
    "uptimeSec": 123456,
    "alerts": [],
}
KEY = {"enrolmentKey": "pme_…", "agentId": "srv-redis-01", "hostname": "redis-01", "fingerprint": "9f86d081884c7d65"}


@public(reason="An agent has no token yet; its enrolment key is what lets it in.")
class RegisterAgent(APIView):
    """Trade an enrolment key for an agent's token."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="register_agent",
        summary="Trade an enrolment key for an agent's token",
        request={"application/json": schema(wire.Register)},
        responses={
            201: OpenApiResponse(schema(Registered), description="Registered; the token is told only here."),
            **refusals(
                s400="A field is wrong; each is named.",
                s401="The key is unknown, expired or used up.",
                s403="The server is known, and may not call from this address.",
                s409="The id belongs to another machine.",
                s429="Too many tries; see Retry-After.",
            ),
        },
        examples=[
            OpenApiExample("Register", KEY, request_only=True),
            OpenApiExample(
                "Registered",
                {"agentId": "srv-redis-01", "token": "pma_…", "intervalSec": 10},
                response_only=True,
                status_codes=["201"],
            ),
        ],
        auth=[],
    )
    def post(self, request: Request) -> HttpResponse:
        address = client.address(request._request)
        limits.hit("register", address)
        body = bodies.registration(bodies.read(request._request), request.headers.get("Content-Encoding", ""))
        server, token = enrolment.register(body, address)
        return answer(Registered(server.agent_id, token, settings.REPORT_INTERVAL_SEC), 201)


@agent_only
class ReportIn(APIView):
    """Take an agent's report."""

    authentication_classes = [AgentAuthentication]
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="report",
        summary="Report: host readings, process table, and the services when they changed",
        description="JSON, optionally with Content-Encoding: gzip. The same report (by ts) twice is stored once.",
        request={"application/json": schema(wire.Report)},
        responses={
            202: OpenApiResponse(schema(Received), description="Stored."),
            **refusals(
                s400="A field is wrong; each is named.",
                s401="The token is not valid.",
                s403="The token is another server's, or the address is not allowed.",
                s409="The hub does not know the base of the changes (any more); send all processes.",
                s413="Too large, as sent or unpacked.",
                s415="Not application/json, or an unknown Content-Encoding.",
                s503="The hub's database does not answer, or reports come faster than it takes them; see Retry-After.",
            ),
        },
        examples=[
            OpenApiExample("The least a report must have", MINIMAL, request_only=True),
            OpenApiExample(
                "Stored",
                {"serverTime": "2026-01-31T12:00:00.123456Z", "intervalSec": 10},
                response_only=True,
                status_codes=["202"],
            ),
        ],
    )
    def post(self, request: Request, agent: str) -> HttpResponse:
        with intake.counted():
            received = take(request, cast(Server, request.auth))
        return answer(received, 202)


def take(request: Request, server: Server) -> Received:
    """Decode, check and store a report that the server's agent sent."""
    received_at = timezone.now()
    report = bodies.report(bodies.read(request._request), request.headers.get("Content-Encoding", ""))
    intake.meant_for(server, report)
    try:
        stored = ingest.store(server, report, received_at, client.address(request._request))
    except ingest.Gone as error:
        raise intake.removed() from error
    return intake.received(stored)
