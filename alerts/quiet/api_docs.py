"""What the OpenAPI says of the calls about silences."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from actions.api_docs import NO_USER, WRONG, answer, error, shape
from alerts.quiet import wire

NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The silence's number.")
SAID: dict[str, Any] = {
    "number": 12,
    "state": "coming",
    "reason": "Weekly patching",
    "scope": "group:web env=prod",
    "rule": None,
    "startsAt": "2026-11-25T14:06:24.100Z",
    "endsAt": None,
    "cron": "0 2 * * SUN",
    "durationSec": 7200,
    "timeZone": "Europe/Bucharest",
    "next": ["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"],
    "madeBy": "Maria Ionescu",
    "madeAt": "2026-11-25T14:06:24.100Z",
    "endedAt": None,
}
NOT_FOUND = {404: error("No such silence in your scope.", "There is no such silence in your scope.")}
NOT_NOW = {
    409: error("It is over, or there are too many.", "It is over already."),
    429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s."),
}


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


listed = extend_schema(
    operation_id="list_silences",
    summary="List silences and maintenance windows, newest first",
    parameters=[
        OpenApiParameter("state", str, enum=["all", "current", "over"], description="Only those not over, or over."),
        OpenApiParameter("limit", int, description="At most so many, 1 to 500; 100 if not given."),
        OpenApiParameter("before", int, description="Only older ones than this number: a page's `next`."),
    ],
    responses={200: answer("Silences.", {"silences": [SAID], "next": None}), **WRONG, **NO_USER},
)
make = extend_schema(
    operation_id="make_silence",
    summary="Silence incidents once, or in maintenance windows",
    description=(
        "Once: give `endsAt`. Again and again: give `cron` (five fields, by `timeZone`'s clock) and `durationSec`: "
        "how long each is. `scope` is a line of labels, groups and names of servers; empty: every server. "
        "Incidents open and close as always, but nobody is told; what is live when it ends is told then."
    ),
    request=shape(wire.NewSilence),
    examples=[
        _example("once", {"reason": "The switch is replaced", "scope": "web-*", "endsAt": "2026-11-25T16:00:00Z"}),
        _example(
            "again and again",
            {
                "reason": "Weekly patching",
                "scope": "group:web env=prod",
                "cron": "0 2 * * SUN",
                "durationSec": 7200,
                "timeZone": "Europe/Bucharest",
            },
        ),
    ],
    responses={201: answer("The new silence.", SAID), **WRONG, **NO_USER, **NOT_NOW},
)
get = extend_schema(
    operation_id="get_silence",
    summary="One silence with its next times",
    parameters=[NUMBER],
    responses={200: answer("The silence.", SAID), **NO_USER, **NOT_FOUND},
)
change = extend_schema(
    operation_id="change_silence",
    summary="Give a silence another end",
    parameters=[NUMBER],
    request=shape(wire.Change),
    examples=[_example("longer", {"endsAt": "2026-11-25T18:00:00Z"})],
    responses={200: answer("The silence as it is now.", SAID), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
end = extend_schema(
    operation_id="end_silence",
    summary="End a silence now",
    parameters=[NUMBER],
    request=None,
    responses={200: answer("The silence as it is now.", {**SAID, "state": "over"}), **NO_USER, **NOT_FOUND, **NOT_NOW},
)
