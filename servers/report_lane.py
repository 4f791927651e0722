"""The report call as plain ASGI in front of Django's handler: it answers as the DRF view at the same address does.

The view (agent_api.ReportIn) stays the contract, and answers whatever is no plain report: another method, a host that
is not ours, a call without TLS where there must be some. Both decode, check and store by the same functions; what the
lane saves is the middlewares, the look at the token's server (remembered, and proved again where its row is locked
anyway), and most of each commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.utils import timezone

from pmonitor import client, logs, problems
from pmonitor.plain_asgi import LEFT, App, Left, Receive, Scope, Send, answer, in_thread
from servers import agents, bodies, ingest, intake
from servers.api_shapes import Received
from servers.gathering import Gatherer, NotPlain
from servers.ingest import Incoming, Stored
from servers.intake import Sent
from servers.models import Server

BEFORE, BEHIND = "/api/agents/", "/metrics"
MOST_REMEMBERED = 50_000  # servers, some 2 KB each


class ReportLane:
    """An ASGI application for the report call's address; all other requests go on to the hub behind it."""

    def __init__(self, hub: App, gatherer: Gatherer | None = None) -> None:
        self.hub = hub
        self.gatherer = gatherer or Gatherer()
        self.servers: dict[str, Server] = {}  # by their tokens' prefixes, as they last called
        self.thoroughly = asyncio.Semaphore(1)  # one of 2 MB may take a second and 100 MB

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        agent = _agent(scope["path"]) if scope["method"] == "POST" else ""
        headers: dict[bytes, bytes] = dict(scope["headers"]) if agent else {}
        if not agent or not client.passes(scope, headers):
            await self.hub(scope, receive, send)
            return
        with suppress(Left):
            await _Call(self, agent, scope, headers, receive).answer(send)

    def remember(self, server: Server) -> Server:
        """The server, whose token was just checked; the next call finds it here."""
        if len(self.servers) >= MOST_REMEMBERED:
            self.servers.clear()
        self.servers[server.token_prefix] = server
        return server


def _agent(path: str) -> str:
    """The agent a report call's path names; "" for another path. A router takes ten times as long to see it."""
    if not path.startswith(BEFORE) or not path.endswith(BEHIND):
        return ""
    agent = path[len(BEFORE) : -len(BEHIND)]
    return "" if "/" in agent else agent


class _Call:
    """One report: from its headers to its answer."""

    def __init__(
        self, lane: ReportLane, agent: str, scope: Scope, headers: dict[bytes, bytes], receive: Receive
    ) -> None:
        self.lane, self.agent, self.scope, self.headers, self.receive = lane, agent, scope, headers, receive
        self.address = client.address_of_scope(scope)
        self.token = self._header(b"x-agent-token")
        self.left = scope.get(LEFT, lambda: False)

    async def answer(self, send: Send) -> None:
        """Answer it; raises Left when its agent left before it had said all."""
        started, number = time.perf_counter(), client.request_id(self._header(b"x-request-id"))
        logs.clear()
        logs.bind(request=number)
        status, headers = 202, dict[str, str]()
        said: Received | dict[str, Any]
        try:
            said = await self._received()
        except Left:
            raise
        except Exception as error:  # noqa: BLE001 - it is logged there when nobody expected it
            problem = problems.of(error, type(self.lane).__name__)
            status, headers = problem.status_code, problem.headers
            said = problems.body(problem.sentence, problem.fields)
        await answer(send, status, said, {**headers, "X-Request-ID": number})
        client.tell("POST", self.scope["path"], status, time.perf_counter() - started, self.address)

    def _header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    async def _received(self) -> Received:
        self.lane.gatherer.check()
        server = self._remembered() or await self._looked_up()
        with intake.counted():
            received_at, encoding = timezone.now(), self._header(b"content-encoding")
            async with self._refused():
                body = await self._body()
            return intake.received(await self._stored(Sent(server, body, encoding, received_at, self.address)))

    def _remembered(self) -> Server | None:
        """The server, if it called before and may still call so as far as is known here."""
        known = self.lane.servers.get(agents.prefix_of(self.token))
        with suppress(problems.Problem):
            return agents.checked(known, self.token, self.agent, self.address)
        return None

    async def _looked_up(self) -> Server:
        return self.lane.remember(await in_thread(agents.server_for, self.token, self.agent, self.address))

    @asynccontextmanager
    async def _refused(self) -> AsyncIterator[None]:
        """Around what refuses a body: a token that was revoked since is the greater wrong."""
        try:
            yield
        except problems.Problem:
            await self._looked_up()
            raise

    async def _body(self) -> bytes:
        bodies.check_type(self._header(b"content-type").partition(";")[0].strip().lower())
        length = self._header(b"content-length")
        bodies.check_length(int(length) if length.isdecimal() else 0)
        parts, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Left
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
            bodies.check_length(size)
        return b"".join(parts)

    async def _stored(self, sent: Sent) -> Stored:
        try:
            return await self._taken(sent)
        except NotPlain:
            async with self._refused(), self.lane.thoroughly:
                incoming = await in_thread(intake.read_thoroughly, sent)
        return await self._taken(incoming)

    async def _taken(self, report: Sent | Incoming) -> Stored:
        try:
            return await self.lane.gatherer.store(report, self.left)
        except ingest.Gone:
            server = await self._looked_up()  # as a rule this says why
        try:
            return await self.lane.gatherer.store(report._replace(server=server), self.left)
        except ingest.Gone as error:
            raise intake.removed() from error
