"""What the OpenAPI says of the calls about incidents."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from actions.api_docs import NO_USER, WRONG, answer, error, shape
from alerts import states
from alerts.incidents import wire

INCIDENT = OpenApiParameter("incident", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The incident's id.")
MOVE_NAMES = ["acknowledge", "unacknowledge", "comment", "assign", "snooze", "wake", "close"]
MOVE = OpenApiParameter("move", str, OpenApiParameter.PATH, enum=MOVE_NAMES, description="What to do with it.")
SAID: dict[str, Any] = {
    "id": "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e90",
    "state": "open",
    "severity": "critical",
    "title": "nginx.service failed",
    "rule": 7,
    "ruleName": "Service failed",
    "kind": "service_failed",
    "agent": "web-buh-10",
    "servers": 1,
    "subject": "nginx.service",
    "value": None,
    "worst": None,
    "facts": {"result": "exit-code", "exit": 1},
    "beganAt": "2026-11-22T11:58:49Z",
    "openedAt": "2026-11-22T11:58:49Z",
    "recordedAt": "2026-11-22T11:58:51Z",
    "closedAt": None,
    "closeReason": "",
    "noDataSince": None,
    "acknowledgedAt": None,
    "acknowledgedBy": "",
    "assignedTo": None,
    "snoozedUntil": None,
    "silence": None,
    "flapping": False,
    "flappingSince": None,
    "calmSince": None,
    "reopened": 0,
    "escalatedAt": None,
    "partOf": None,
}
LINE: dict[str, Any] = {
    "at": "2026-11-22T11:58:49Z",
    "kind": "opened",
    "actor": None,
    "text": "",
    "facts": {},
    "command": None,
}
NOTICE = {
    "contact": "On call",
    "id": 4711,
    "event": "opened",
    "state": "sent",
    "madeAt": "2026-11-22T11:58:51Z",
    "dueAt": "2026-11-22T11:59:01Z",
    "inSummary": False,
    "sentAt": "2026-11-22T11:59:12Z",
    "attempts": 2,
    "error": "",
    "errorCode": "",
    "lastFailure": "the receiver answered 500",
    "lastFailureCode": "status:500",
}
MEMBER = {
    "id": "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e91",
    "agent": "web-buh-11",
    "subject": "",
    "state": "open",
    "openedAt": "2026-11-22T11:58:49Z",
    "closedAt": None,
    "acknowledgedBy": "",
}
WHOLE = {
    **SAID,
    "timeline": [LINE],
    "members": [],
    "membersElsewhere": 0,
    "notifications": [NOTICE],
    "capsule": None,
}
OF_MANY = {
    **WHOLE,
    "title": "Server silent on 50 servers",
    "kind": "server_silent",
    "agent": None,
    "servers": 50,
    "subject": "",
    "facts": {"members": 50, "servers": 50},
    "members": [MEMBER],
    "membersElsewhere": 49,
}
NOT_FOUND = {404: error("No such incident in your scope.", "There is no such incident in your scope.")}
NOT_NOW = {
    409: error("It is past that, or somebody was faster.", "Maria Ionescu has acknowledged it already."),
    429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s."),
}


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


listed = extend_schema(
    operation_id="list_incidents",
    summary="List incidents, newest first",
    description=(
        "Many servers at once are one incident, whose members are not listed by themselves. With `server`, those on it "
        "are listed, members too; `partOf` names the one that they belong to."
    ),
    parameters=[
        OpenApiParameter("state", str, enum=["all", "live", *states.STATES], description="live: not closed."),
        OpenApiParameter("severity", str, enum=["all", *states.SEVERITIES], description="Only of this severity."),
        OpenApiParameter("server", str, description="Only on this server, by its agent's id."),
        OpenApiParameter("rule", int, description="Only of this alert rule, by its number."),
        OpenApiParameter("limit", int, description="At most so many, 1 to 500; 100 if not given."),
        OpenApiParameter("before", OpenApiTypes.UUID, description="Only older ones than this: a page's `next`."),
    ],
    responses={200: answer("Incidents.", {"incidents": [SAID], "next": None}), **WRONG, **NO_USER, **NOT_FOUND},
)
get = extend_schema(
    operation_id="get_incident",
    summary="One incident with its timeline, members, notices and capsule",
    description=(
        "`members` are those on servers in your scope; `membersElsewhere` counts the others. `capsule` is what was "
        "found around its opening, null while it is being gathered; log lines are for operators."
    ),
    parameters=[INCIDENT],
    responses={200: answer("The incident; here of many servers.", OF_MANY), **NO_USER, **NOT_FOUND},
)
move = extend_schema(
    operation_id="move_incident",
    summary="Acknowledge, give back, comment on, assign, snooze, wake or close an incident",
    description=(
        "`comment` takes `text`; `assign` takes `to`, a user name, or null for nobody; `snooze` takes `until` or "
        "`forSec`, 5 minutes to 30 days; `close` may take a `reason`. Of an incident of many servers, `acknowledge`, "
        "`unacknowledge`, `assign` and `close` are about the members in your scope; where others are left as "
        "they were, its timeline says so: a line `partly`, whose facts have the `move` and of how many live "
        "`members` that was."
    ),
    parameters=[INCIDENT, MOVE],
    request=shape(wire.Move),
    examples=[
        _example("acknowledge", {}),
        _example("comment", {"text": "The disk is being replaced."}),
        _example("assign", {"to": "maria"}),
        _example("snooze", {"forSec": 3600}),
        _example("close", {"reason": "Known, and gone soon"}),
    ],
    responses={
        200: answer("The incident as it is now.", {**WHOLE, "state": "acknowledged", "acknowledgedBy": "Maria"}),
        **WRONG,
        **NO_USER,
        **NOT_FOUND,
        **NOT_NOW,
    },
)
