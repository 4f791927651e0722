"""What the OpenAPI says of the calls about rollouts."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from actions.api_docs import NO_USER, WRONG, answer, error, shape
from actions.rollouts import states, wire

NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The rollout's number.")
WAY = OpenApiParameter("way", str, OpenApiParameter.PATH, enum=list(states.WAYS_ON), description="What to do.")
SHORT = {
    "number": 31,
    "cmd": "restart",
    "target": "nginx.service",
    "state": "halted",
    "moves": 1,
    "waysOn": ["retry", "skip", "end"],
    "reason": "New TLS certificate",
    "askedBy": "Maria Ionescu",
    "ledBy": "Maria Ionescu",
    "createdAt": "2026-11-22T11:52:07Z",
    "changedAt": "2026-11-22T11:58:48Z",
    "selection": {"label": "role=web"},
    "batchSize": "4",
    "pauseSec": 30,
    "maxFailures": 1,
    "silent": "skip",
    "probe": "http://127.0.0.1:8080/health",
    "batch": 3,
    "nextAt": None,
    "why": "failed",
    "counts": {"succeeded": 9, "failed": 1, "working": 0, "skipped": 0, "todo": 14},
    "sentence": "Halted in batch 3 of 6: nginx on web-buh-10 restarted, but the probe says: HTTP 503 in 12 ms. …",
}
STEP = {
    "agent": "web-buh-10",
    "batch": 3,
    "state": "failed",
    "why": "probe",
    "sentence": "nginx on web-buh-10 restarted, but the probe says: HTTP 503 in 12 ms",
    "said": "HTTP 503 in 12 ms",
    "command": "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e6f",
    "joined": False,
    "beganAt": "2026-11-22T11:58:40Z",
    "endedAt": "2026-11-22T11:58:48Z",
}
WHOLE = {**SHORT, "steps": [STEP], "history": []}
PLAN = {
    "count": 2,
    "batches": [["web-buh-01"], ["web-buh-02"]],
    "silent": [],
    "notAllowed": [],
    "cannotProbe": [],
    "noSuchService": [],
}
ASK = {
    "cmd": "restart",
    "target": "nginx.service",
    "label": "role=web",
    "batch": "25%",
    "probe": "http://127.0.0.1:8080/health",
    "reason": "New TLS certificate",
}
NOT_FOUND = {404: error("No such rollout in your scope.", "There is no such rollout in your scope.")}
BUSY = {429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s.")}


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


rollouts = extend_schema(
    operation_id="list_rollouts",
    summary="List rollouts, newest first",
    parameters=[
        OpenApiParameter("state", str, description="Only in this state."),
        OpenApiParameter("limit", int, description="At most so many, 1 to 200; 50 if not given."),
        OpenApiParameter("before", int, description="Only older ones than this number: a page's `next`."),
    ],
    responses={200: answer("Rollouts.", {"rollouts": [SHORT], "next": None}), **WRONG, **NO_USER},
)
start = extend_schema(
    operation_id="start_rollout",
    summary="Start a rollout, or see its plan",
    description=(
        "With `dryRun` only the plan is told. A start names the plan's `count`, as a person types it. `probe` is an "
        "address on each server (`http`, `https` or `tcp`, on localhost) that its agent asks once its command has "
        "succeeded: the step succeeds when it answers (HTTP: status 200 to 399) within 30 s, and else fails."
    ),
    request=shape(wire.Ask),
    examples=[_example("plan", {**ASK, "dryRun": True}), _example("start", {**ASK, "count": 2})],
    responses={
        200: answer("The plan; nothing is touched.", PLAN),
        201: answer("It has started.", WHOLE),
        409: error("Its servers have one already.", "Rollout 31 of this service is not over yet on web-buh-10."),
        **BUSY,
        **WRONG,
        **NO_USER,
    },
)
rollout = extend_schema(
    operation_id="get_rollout",
    summary="One rollout with each of its servers",
    parameters=[NUMBER],
    responses={200: answer("The rollout.", WHOLE), **NO_USER, **NOT_FOUND},
)
way = extend_schema(
    operation_id="tell_rollout",
    summary="Halt, resume, retry, skip or end a rollout",
    parameters=[NUMBER, WAY],
    request=shape(wire.Way),
    examples=[_example("example", {"reason": "The configuration is repaired"})],
    responses={
        200: answer("The rollout now.", {**WHOLE, "state": "running"}),
        409: OpenApiResponse(description="It is past that, or has moved on since `moves`."),
        **BUSY,
        **WRONG,
        **NO_USER,
        **NOT_FOUND,
    },
)
