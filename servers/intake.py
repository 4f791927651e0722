"""What both doors of the report call do alike: the DRF view, and the lane in front of Django's handler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from pmonitor.metrics import INGEST_SECONDS, REPORTS
from pmonitor.plain_asgi import Left
from pmonitor.problems import Problem
from servers import agents, bodies, ingest, watching, wire
from servers.api_shapes import Received
from servers.ingest import Incoming, Stored
from servers.models import Server
from servers.wire import Report


class Sent(NamedTuple):
    """A report as it came, at that moment by the hub's clock, from a server whose token was checked."""

    server: Server
    body: bytes
    encoding: str
    received_at: datetime
    address: str


def read(sent: Sent) -> Incoming | None:
    """The report, ready to be stored; None when it has to be read thoroughly."""
    with suppress(Problem):
        report = bodies.decoded_quickly(bodies.unpacked(sent.body, sent.encoding), wire.REPORTS)
        if report is not None and report.agent_id == sent.server.agent_id:
            return ingest.incoming(sent.server, report, sent.received_at, sent.address)
    return None


def read_thoroughly(sent: Sent) -> Incoming:
    """The report, ready to be stored; raises Problem 400, 409, 413 or 415 telling all that is wrong with it."""
    report = meant_for(sent.server, bodies.report(sent.body, sent.encoding))
    return ingest.incoming(sent.server, report, sent.received_at, sent.address)


@contextmanager
def counted() -> Iterator[None]:
    """Around a report's way from its body to its commit: how long it took, whether it was refused or its agent left."""
    try:
        with INGEST_SECONDS.time():
            yield
    except Problem:
        REPORTS.labels("refused").inc()
        raise
    except Left:
        REPORTS.labels("left").inc()
        raise


def meant_for(server: Server, report: Report) -> Report:
    """The report; raises Problem 400 when it says that it is another server's."""
    if report.agent_id != server.agent_id:
        wrong = f"expected {server.agent_id}, as in the path, got {report.agent_id}"
        raise Problem(400, f"Wrong input: agentId: {wrong}", {"agentId": wrong})
    return report


def received(stored: Stored) -> Received:
    """The answer to a report that was committed."""
    REPORTS.labels(stored.outcome).inc()
    usual = watching.usual()
    grid = usual if stored.interval_sec < usual else None
    return Received(timezone.now(), stored.interval_sec, grid, stored.base)


def removed() -> Problem:
    """The answer when the server went while its report came in."""
    return agents.refused("This server was removed.")
