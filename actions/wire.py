"""What agents and programs say about commands, as typed and bounded structs, and how a command is said to its agent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from django.http import HttpRequest
from msgspec import Meta, Struct
from msgspec.json import Decoder

from pmonitor.problems import Problem
from servers import bodies
from servers.wire import Count, Moment, Name, Text, Ticks, Word
from servers.wire import Observation as Observation

if TYPE_CHECKING:
    from actions.models import Command

BODY_MAX_BYTES = 131_072  # unpacked
ANSWER_MAX_BYTES = 262_144  # unpacked, of a read's answer
OUTPUT_KEPT = 8_192  # characters
LOG_LINES_KEPT = 20
LOG_LINE_KEPT = 500  # characters
CUT_NOTE = "[the beginning was cut]\n"
T = TypeVar("T")


class Ack(Struct, rename="camel"):
    """The agent is about to act."""

    started_at: Moment | None = None


class Change(Struct, rename="camel", omit_defaults=True):
    """What the service or process turned into while the agent watched it."""

    t: Word
    active_state: Word | None = None
    sub_state: Word | None = None
    main_pid: Count | None = None
    status: Word | None = None


class Result(Struct, rename="camel", omit_defaults=True):
    """How a command ended, with the evidence."""

    outcome: Annotated[str, Meta(pattern="^(done|failed|refused|interrupted)$")]
    exit_code: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    output: Annotated[str, Meta(max_length=16_384)] = ""
    reason: Annotated[str, Meta(max_length=1_000)] = ""
    ack: Moment | None = None  # the startedAt of the acknowledgement it belongs to
    before: Observation | None = None
    after: Observation | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    until: Moment | None = None  # the service is stopped for a time, to here
    command: Text = ""
    log: Annotated[list[Text], Meta(max_length=200)] = []
    changes: Annotated[list[Change], Meta(max_length=50)] = []


class Identity(Struct, rename="camel", omit_defaults=True):
    """A service as the operator saw it: whether it ran, and its main process."""

    active_state: Word | None = None
    main_pid: Count | None = None
    start_ticks: Ticks | None = None


class Ask(Struct, rename="camel"):
    """What an operator's program asks for. ask.py checks the values, for forms and programs alike."""

    cmd: Word
    target: Annotated[str, Meta(min_length=1, max_length=255)]
    reason: Text = ""
    deliver_within_sec: int = 60
    execute_within_sec: int = 120
    expect: Identity | None = None
    args: dict[Word, Any] = {}
    typed: Name = ""  # the service's name once more, where it is protected


class Answer(Struct):
    """What the agent found out for a read, in the kind's own shape, or why it could not."""

    answer: dict[str, Any] | None = None
    error: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None


ACKS, RESULTS, ASKS, ANSWERS = Decoder(Ack), Decoder(Result), Decoder(Ask), Decoder(Answer)


def read(request: HttpRequest, decoder: Decoder[T], most: int = BODY_MAX_BYTES) -> T:
    """The request's body, at most so many bytes, as the decoder's struct; Problem 400 naming wrong fields, 413, 415."""
    body = bodies.unpacked(bodies.read(request), request.headers.get("Content-Encoding", ""))
    if len(body) > most:
        raise Problem(413, f"The body is larger than {most:,} bytes.")
    return bodies.decoded(body, decoder)


def evidence(result: Result) -> dict[str, Any]:
    """The result as it is kept: by its names on the wire, cut to size."""
    kept: dict[str, Any] = msgspec.to_builtins(result)
    if len(result.output) > OUTPUT_KEPT:
        kept["output"] = CUT_NOTE + result.output[-OUTPUT_KEPT:]
    if result.log:
        kept["log"] = [line[:LOG_LINE_KEPT] for line in result.log[-LOG_LINES_KEPT:]]
    return kept


def command(given: Command) -> dict[str, Any]:
    """A delivered command as its agent gets it; executeBy is when the hub stops waiting if it starts at once."""
    delivered_at = given.delivered_at or given.created_at
    return {
        "id": str(given.uuid),
        "cmd": given.cmd,
        "target": given.target,
        "createdAt": given.created_at,
        "deliverBy": given.deliver_by,
        "executeBy": delivered_at + timedelta(seconds=given.execute_within_sec),
        "executeWithinSec": given.execute_within_sec,
        "args": given.args,
        "expect": given.expect,
    }
