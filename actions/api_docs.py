"""What the OpenAPI says of the calls in api.py: shapes, answers and examples."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from actions import states, wire
from servers.api_shapes import schema

ID = "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e6f"
AGENT = OpenApiParameter("agent", str, OpenApiParameter.PATH, description="The agent's id, such as srv-redis-01.")
READ = OpenApiParameter("read", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The read's id.")
COMMAND = OpenApiParameter("command", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The command's id.")


def shape(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The struct's JSON schema as the only kind of body."""
    return {"application/json": schema(kind)}


def answer(says: str, example: Any = None) -> OpenApiResponse:
    """An answer with an example of it."""
    examples = [OpenApiExample("example", value=example, response_only=True)] if example is not None else []
    return OpenApiResponse(OpenApiTypes.OBJECT, description=says, examples=examples)


def error(says: str, sentence: str) -> OpenApiResponse:
    """A refusal with an example of its sentence."""
    return answer(says, {"error": sentence})


def _request(example: dict[str, Any]) -> list[OpenApiExample]:
    return [OpenApiExample("example", value=example, request_only=True)]


def _state(state: str, says: str) -> OpenApiResponse:
    return answer(says, {"state": state})


SHORT = {
    "id": ID,
    "number": 48213,
    "agent": "srv-redis-01",
    "cmd": "restart",
    "target": "redis-server.service",
    "args": {},
    "rollout": None,
    "schedule": None,
    "state": "queued",
    "reason": "New TLS certificate",
    "askedBy": "Maria Ionescu",
    "createdAt": "2026-11-23T14:06:24.100Z",
    "deliverBy": "2026-11-23T14:07:24.100Z",
    "executeWithinSec": 120,
    "deliveredAt": None,
    "startedAt": None,
    "executeBy": None,
    "endedAt": None,
    "verdict": "",
    "sentence": "",
}
EVENT = {
    "at": "2026-11-23T03:12:40Z",
    "service": "redis-server.service",
    "kind": "crashed",
    "sentence": "redis-server.service crashed (SIGSEGV)",
    "command": None,
    "askedBy": None,
    "facts": {"pidBefore": 123, "pidNow": 456, "lastExit": "SIGSEGV", "restarts": 1, "runs": True},
}
FOR_AGENT = {
    "id": ID,
    "cmd": "restart",
    "target": "redis-server.service",
    "createdAt": "2026-11-23T14:06:24.100Z",
    "deliverBy": "2026-11-23T14:07:24.100Z",
    "executeBy": "2026-11-23T14:08:24.700Z",
    "executeWithinSec": 120,
    "args": {},
    "expect": {"mainPid": 123, "startTicks": 4711},
}
FOR_READING = {
    "id": "5b0c9f6e-3d1e-4c55-9c0e-6a7d2f0e9b11",
    "kind": "logs",
    "target": "redis-server.service",
    "args": {"lines": 200},
    "answerBy": "2026-11-23T14:06:34.100Z",
}
FOR_POLL = {"commands": [FOR_AGENT], "reads": [FOR_READING], "serverTime": "2026-11-23T14:06:24.700Z"}
BEFORE = {"activeState": "active", "subState": "running", "mainPid": 123, "startTicks": 4711}
RESULT = {
    "outcome": "done",
    "exitCode": 0,
    "output": "",
    "before": BEFORE,
    "after": {**BEFORE, "mainPid": 456, "startTicks": 9001, "settledSec": 5},
}
NO_AGENT = {
    401: error("No such agent token.", "This agent token is not valid."),
    403: error("Another server's token, or a wrong address.", "This token is another server's."),
}
NO_USER = {
    401: error("Not signed in.", "Authentication credentials were not provided."),
    403: error("Not the role for it.", "You do not have permission to perform this action."),
}
NOT_FOUND = {404: error("No such command or server in your scope.", "There is no such command in your scope.")}
WRONG = {400: answer("Wrong fields, by name.", {"error": "Wrong input: …", "fields": {"cmd": "must be one of …"}})}

ask = extend_schema(
    operation_id="ask_for_action",
    summary="Ask for an action on a service or a process",
    description=(
        "`signal` and `renice` aim at a process: `target` is NAME[PID], `args` has its `bootId` (among a server's "
        "facts), `pid` and `startTicks`, and the `signal` or the `nice` value."
    ),
    parameters=[AGENT],
    request=shape(wire.Ask),
    examples=[
        *_request({"cmd": "restart", "target": "redis-server.service", "reason": "New TLS certificate"}),
        OpenApiExample(
            "stop for 20 minutes",
            value={"cmd": "stop", "target": "redis-server.service", "args": {"forSec": 1200}},
            request_only=True,
        ),
    ],
    responses={
        201: answer("The new command.", {**SHORT, "joined": False}),
        200: answer("Somebody asked for the same already: you joined that command.", {**SHORT, "joined": True}),
        409: error("Not now, or not at all.", "Maria Ionescu asked to stop it at 14:06:24 UTC."),
        429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s."),
        **WRONG,
        **NO_USER,
        **NOT_FOUND,
    },
)
poll = extend_schema(
    operation_id="wait_for_commands",
    summary="Wait for commands and reads",
    description="Answered as soon as there is a command or a read, else with 204 when the wait ends. "
    "`reads` is left out when there is none; each read is given once.",
    parameters=[AGENT, OpenApiParameter("wait", int, description="Seconds to wait, 0 to 55; 25 if not given.")],
    responses={
        200: answer("Commands, now delivered: acknowledge within 10 s.", FOR_POLL),
        204: OpenApiResponse(description="Nothing came."),
        **WRONG,
        **NO_AGENT,
    },
)
acknowledge = extend_schema(
    operation_id="acknowledge_command",
    summary="Say that the agent starts a command",
    parameters=[AGENT, COMMAND],
    request=shape(wire.Ack),
    examples=_request({"startedAt": "2026-11-23T14:06:24.900Z"}),
    responses={
        200: _state(states.RUNNING, "Run it."),
        409: _state(states.EXPIRED, "Do not run it: this is its state."),
        **WRONG,
        **NO_AGENT,
        **NOT_FOUND,
    },
)
finish = extend_schema(
    operation_id="finish_command",
    summary="Hand in a command's evidence",
    parameters=[AGENT, COMMAND],
    request=shape(wire.Result),
    examples=_request(RESULT),
    responses={
        200: _state(states.SUCCEEDED, "The state the evidence brought it to, or that it had ended in before."),
        409: _state(states.DELIVERED, "It has not begun, so this result is not taken."),
        **WRONG,
        **NO_AGENT,
        **NOT_FOUND,
    },
)
answer_read = extend_schema(
    operation_id="answer_read",
    summary="Answer a read",
    description="Either `answer`, in the shape of the read's kind, or `error`: why there is none.",
    parameters=[AGENT, READ],
    request=shape(wire.Answer),
    examples=_request({"error": "there is no service redis.service on this server"}),
    responses={
        200: answer("Taken.", {"taken": True}),
        404: error("Not asked of this server.", "This server was not asked that."),
        409: error("Answered already, or too late.", "Too late: nobody waits for this answer any more."),
        413: error("Too large.", "The body is larger than 262,144 bytes."),
        **WRONG,
        **NO_AGENT,
    },
)
LEASE: dict[str, Any] = {
    "agent": "srv-redis-01",
    "target": "redis-server.service",
    "command": ID,
    "askedBy": "Maria Ionescu",
    "reason": "Move its disk",
    "state": "held",
    "until": "2026-11-23T14:26:30Z",
    "overdueAt": None,
    "endedAt": None,
    "attempts": 0,
    "why": "",
    "verdict": "",
    "evidence": {},
}
leases = extend_schema(
    operation_id="list_leases",
    summary="List services that are stopped for a time",
    description="Their agents start them again at `until`. Ask for one by the command stop with args.forSec.",
    parameters=[
        OpenApiParameter("agent", str, description="Only this server's."),
        OpenApiParameter("state", str, description="open (if not given) or ended."),
    ],
    responses={200: answer("At most 500.", {"leases": [LEASE]}), **WRONG, **NO_USER},
)
commands = extend_schema(
    operation_id="list_commands",
    summary="List commands, newest first",
    parameters=[
        OpenApiParameter("agent", str, description="Only this server's."),
        OpenApiParameter("state", str, description="Only in these states, comma-separated."),
        OpenApiParameter("limit", int, description="At most so many, 1 to 500; 100 if not given."),
        OpenApiParameter("before", OpenApiTypes.UUID, description="Only older ones than this: a page's `next`."),
    ],
    responses={200: answer("Commands.", {"commands": [SHORT], "next": None}), **WRONG, **NO_USER, **NOT_FOUND},
)
command = extend_schema(
    operation_id="get_command",
    summary="One command with its moves and evidence",
    parameters=[COMMAND],
    responses={
        200: answer("The command.", {**SHORT, "evidence": RESULT, "lease": None, "moves": []}),
        **NO_USER,
        **NOT_FOUND,
    },
)
_EVENTS: dict[str, Any] = {
    "description": "Crashes, restarts and the rest; `command` is null where it happened without a command from here.",
    "responses": {200: answer("Events.", {"events": [EVENT], "next": None}), **WRONG, **NO_USER, **NOT_FOUND},
}
_PAGE_OF_EVENTS = [
    OpenApiParameter("limit", int, description="At most so many, 1 to 500; 100 if not given."),
    OpenApiParameter("before", OpenApiTypes.DATETIME, description="Only what is older: a page's `next`."),
]
server_events = extend_schema(
    operation_id="list_server_events",
    summary="What happened to a server's services, newest first",
    parameters=[AGENT, *_PAGE_OF_EVENTS],
    **_EVENTS,
)
service_events = extend_schema(
    operation_id="list_service_events",
    summary="What happened to one service, newest first",
    parameters=[
        AGENT,
        OpenApiParameter("name", str, OpenApiParameter.PATH, description="The service's name, such as nginx.service."),
        *_PAGE_OF_EVENTS,
    ],
    **_EVENTS,
)
cancel = extend_schema(
    operation_id="cancel_command",
    summary="Take a command back before it is delivered",
    parameters=[COMMAND],
    request=None,
    responses={
        200: answer("The cancelled command.", {**SHORT, "state": states.CANCELLED}),
        409: error("Too late.", "Too late to cancel: the command is running already."),
        **NO_USER,
        **NOT_FOUND,
    },
)
