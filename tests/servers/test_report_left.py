"""A report that lay in the hub until its agent gave up is passed over: the agent sends it again, with its age."""

from __future__ import annotations

import json
import signal
import socket
import time

import pytest

from servers.gathering import Gatherer
from servers.models import Newest, Server
from tests.actions.web_process import WebProcess, web_process
from tests.patience import PATIENCE
from tests.servers.gathered import incoming, outcomes, together
from tests.servers.reports import report

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_nobody_waits_for_is_not_stored(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    ends = together(gatherer, (incoming(web1, 1), lambda: True), incoming(db1, 1))
    assert outcomes(ends) == ["Left", "stored"]
    assert list(Newest.objects.values_list("server", flat=True)) == [db1.pk]
    assert outcomes(together(gatherer, incoming(web1, 1))) == ["stored"]


def send(hub: WebProcess, token: str, ts: float) -> socket.socket:
    """A report on a connection that the test holds."""
    line = socket.create_connection(("127.0.0.1", hub.port), 10 * PATIENCE)
    body = json.dumps(report(agentId="srv-web-01", ts=ts, sentAt=ts)).encode()
    head = ["POST /api/agents/srv-web-01/metrics HTTP/1.1", "Host: localhost", f"X-Agent-Token: {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    line.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return line


def test_a_hub_that_stood_still_stores_only_what_is_still_waited_for(web1: Server, agent_token: str) -> None:
    with web_process() as hub:
        with send(hub, agent_token, 1) as first:
            assert first.recv(1000).startswith(b"HTTP/1.1 202 ")
        hub.process.send_signal(signal.SIGSTOP)
        for ts in (2, 3, 4):
            send(hub, agent_token, ts).close()
        with send(hub, agent_token, 5) as last:
            time.sleep(0.2)
            hub.process.send_signal(signal.SIGCONT)
            assert last.recv(1000).startswith(b"HTTP/1.1 202 ")
        assert Newest.objects.get(server=web1).recent_ts == [5, 1]
