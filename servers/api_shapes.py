"""What the API answers about servers, as structs: encoded by msgspec, described to OpenAPI, never decoded."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse
from msgspec import Struct, field

from servers import clock_skew
from servers.models import Newest, Server
from servers.past import Point, Series
from servers.process_lives import Life
from servers.wire import Disk, Proc, Service, on_the_wire


class Registered(Struct, rename=on_the_wire):
    """The answer to a registration; the token is told only here."""

    agent_id: str
    token: str
    interval_sec: float


class Received(Struct, rename=on_the_wire, omit_defaults=True):
    """The answer to a report; gridSec: the interval that history keeps, while more is asked for (watch mode).

    base: the report's ts, where the next ones may tell only what is other in their processes than in this one's.
    """

    server_time: datetime
    interval_sec: float
    grid_sec: float | None = None
    base: float | None = None


class Summary(Struct, rename=on_the_wire):
    """A server and its newest values; those are null until its first report."""

    agent_id: str
    hostname: str
    group: str | None
    labels: dict[str, Any]
    state: str
    state_since: datetime
    received_at: datetime | None = None
    sampled_at: datetime | None = None
    uptime_sec: float | None = None
    procs_total: int | None = None
    readings: dict[str, float | None] = {}
    skew_sec: float | None = None  # by which the agent's clock is behind the hub's


class Fleet(Struct, rename=on_the_wire):
    """The servers in the caller's scope, and how many are in each state."""

    total: int
    states: dict[str, int]
    servers: list[Summary]


class Detail(Summary, rename=on_the_wire):
    """One server; history: CPU and memory in percent, one average a minute, oldest first, null where nothing came.

    disks: its filesystems as measured at disksAt, which is null where its agent does not tell them.
    """

    facts: dict[str, Any] = {}
    services: list[Service] = []
    disks: list[Disk] = []
    disks_at: datetime | None = None
    history: dict[str, Series] = {}


class ProcessTable(Struct, rename=on_the_wire):
    """A server's processes at a moment: sampledAt is when they were read, total how many there were in all."""

    at: datetime
    sampled_at: datetime
    total: int
    procs: list[Proc]


class Found(Struct, rename=on_the_wire):
    """A process and the server it runs on."""

    agent_id: str
    hostname: str
    sampled_at: datetime
    process: Proc


class FoundProcesses(Struct, rename=on_the_wire):
    """The processes that were looked for: total is how many match, procs holds the first of them, by host name.

    Counting ends, and with it the search, at the server with which 50,000 were found. untold: how many servers, of
    those looked through, have no process table of that moment: nothing is known of their processes then.
    """

    at: datetime
    total: int
    procs: list[Found]
    untold: int = 0


class Seen(Struct, rename=on_the_wire):
    """A process that was on a server: when it was first and last seen, and the most CPU and memory it took, and when.

    CPU in percent of one core, null where none was told. What is outside of the stretch does not count.
    """

    agent_id: str
    hostname: str
    name: str
    pid: int
    start_ticks: int | None
    user: str
    cmdline: str
    first_seen: datetime
    last_seen: datetime
    cpu: float | None
    cpu_at: datetime
    mem_mb: float
    mem_at: datetime


class SeenProcesses(Struct, rename=on_the_wire):
    """Those of the servers that were looked through for this answer; done: of how many servers in all answers so far.

    next: what to give as `after` for the following servers, null when all are done.
    """

    from_: datetime
    to: datetime
    done: int
    of: int
    next: int | None
    procs: list[Seen]


class History(Struct, rename=on_the_wire):
    """A metric over time; step in seconds, gaps left out."""

    metric: str
    step: int
    points: list[Point]


class Spell(Struct, rename=on_the_wire):
    """A stretch in one state: up, silent or unknown; why: of an unknown one, why the hub was away, if it was."""

    start: datetime = field(name="from")
    end: datetime = field(name="to")
    state: str
    why: str | None = None


class States(Struct, rename=on_the_wire):
    """A server's states without a gap, oldest first; shares in percent of the whole; boots: when it was booted anew."""

    start: datetime = field(name="from")
    end: datetime = field(name="to")
    shares: dict[str, float]
    spells: list[Spell]
    boots: list[datetime]


def summary(server: Server) -> Summary:
    """A server loaded with its group and newest report."""
    return Summary(**_facts(server))


def detail(server: Server, history: dict[str, Series]) -> Detail:
    """A server loaded with its group and newest report, its services as last listed, and its short history."""
    newest = newest_of(server)
    of_newest = _of_newest(newest) if newest else {}
    rows = server.services.order_by("name").values(*Service.__struct_fields__)
    services = [Service(**row) for row in rows]
    return Detail(**_facts(server), **of_newest, services=services, history=history)


def newest_of(server: Server) -> Newest | None:
    """The newest report, None before the first."""
    return getattr(server, "newest", None)


def answer(value: Struct, status: int = 200) -> HttpResponse:
    """The struct as a JSON response."""
    return HttpResponse(msgspec.json.encode(value), status=status, content_type="application/json")


def schema(kind: type[Struct]) -> dict[str, Any]:
    """The struct as OpenAPI describes it, with everything it refers to inside."""
    (top,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    found: dict[str, Any] = _inside(top, parts)
    return found


def refusals(**sentences: str) -> dict[int, OpenApiResponse]:
    """What else an operation answers, for OpenAPI: refusals(s404="There is no such server.")."""
    shape = {"type": "object", "properties": {"error": {"type": "string"}, "fields": {"type": "object"}}}
    return {int(code[1:]): OpenApiResponse(shape, description=text) for code, text in sentences.items()}


def seen(server: Server, life: Life) -> Seen:
    """A process of a server's past."""
    return Seen(
        server.agent_id, server.hostname, life.name, life.pid, life.start_ticks, life.user, life.cmdline,
        life.first, life.last, life.cpu, life.cpu_at, life.mem_mb, life.mem_at,
    )  # fmt: skip


def _inside(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inside(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inside(parts[node["$ref"]], parts)
    return {key: _inside(value, parts) for key, value in node.items()}


def _of_newest(newest: Newest) -> dict[str, Any]:
    disks = msgspec.convert(newest.disks or [], list[Disk])
    return {"facts": newest.facts, "disks": disks, "disks_at": newest.disks_at}


def _facts(server: Server) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "agent_id": server.agent_id,
        "hostname": server.hostname,
        "group": server.group.name if server.group else None,
        "labels": server.labels,
        "state": server.state,
        "state_since": server.state_since,
    }
    newest = newest_of(server)
    if newest is not None:
        names = ("received_at", "sampled_at", "uptime_sec", "procs_total", "readings")
        facts |= {name: getattr(newest, name) for name in names}
        facts["skew_sec"] = clock_skew.skew_of(newest)
    return facts
