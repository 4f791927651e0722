"""What the OpenAPI says of the calls about schedules."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from actions.api_docs import NO_USER, SHORT, WRONG, answer, error, shape
from actions.schedules import wire

SCHEDULE = OpenApiParameter("schedule", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The schedule's id.")
SAID: dict[str, Any] = {
    "id": "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e70",
    "agent": "srv-redis-01",
    "cmd": "restart",
    "target": "redis-server.service",
    "args": {},
    "reason": "Weekly memory defragmentation",
    "onceAt": None,
    "cron": "30 3 * * MON",
    "timeZone": "Europe/Bucharest",
    "deliverWithinSec": 60,
    "executeWithinSec": 120,
    "enabled": True,
    "state": "on",
    "nextAt": "2026-11-30T01:30:00Z",
    "madeBy": "Maria Ionescu",
    "madeAt": "2026-11-25T14:06:24.100Z",
    "lastAt": None,
    "lastOutcome": "",
    "lastWhy": "",
}
WHOLE = {**SAID, "next": ["2026-11-30T01:30:00Z", "2026-12-07T01:30:00Z"], "commands": [SHORT]}
NOT_FOUND = {404: error("No such schedule or server in your scope.", "There is no such schedule in your scope.")}
NOT_NOW = {
    409: error("Not now, or not at all.", "The agent of this server does not offer to reload nginx.service."),
    429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s."),
}


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


listed = extend_schema(
    operation_id="list_schedules",
    summary="List schedules, newest first",
    parameters=[
        OpenApiParameter("agent", str, description="Only this server's."),
        OpenApiParameter("limit", int, description="At most so many, 1 to 500; 100 if not given."),
        OpenApiParameter("before", OpenApiTypes.UUID, description="Only older ones than this: a page's `next`."),
    ],
    responses={200: answer("Schedules.", {"schedules": [SAID], "next": None}), **WRONG, **NO_USER, **NOT_FOUND},
)
make = extend_schema(
    operation_id="make_schedule",
    summary="Schedule a command, once or again and again",
    description="Give `onceAt` or `cron`: five fields, by the clock of `timeZone`, the server's if not given.",
    request=shape(wire.NewSchedule),
    examples=[
        _example(
            "again and again",
            {
                "agent": "srv-redis-01",
                "cmd": "restart",
                "target": "redis-server.service",
                "reason": "Weekly memory defragmentation",
                "cron": "30 3 * * MON",
            },
        ),
    ],
    responses={201: answer("The new schedule.", WHOLE), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
get = extend_schema(
    operation_id="get_schedule",
    summary="One schedule with its next times and newest commands",
    parameters=[SCHEDULE],
    responses={200: answer("The schedule.", WHOLE), **NO_USER, **NOT_FOUND},
)
change = extend_schema(
    operation_id="change_schedule",
    summary="Change, pause or resume a schedule",
    description="What is left out stays; `enabled` pauses and resumes. From then on it runs in the caller's name.",
    parameters=[SCHEDULE],
    request=shape(wire.Change),
    examples=[_example("pause", {"enabled": False})],
    responses={200: answer("The schedule as it is now.", WHOLE), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
delete = extend_schema(
    operation_id="delete_schedule",
    summary="Delete a schedule; its commands and records stay",
    parameters=[SCHEDULE],
    request=None,
    responses={204: OpenApiResponse(description="It never runs again."), **NO_USER, **NOT_FOUND},
)
