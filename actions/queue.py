"""The agents' long-poll: plain ASGI in front of Django; a waiting agent holds neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import msgspec
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections
from django.utils import timezone

from actions import lifecycle, reads, wire
from actions.wake import bells
from pmonitor import client, logs, metrics, problems
from servers import agents
from servers.models import Server

log = logs.get(__name__)
WAIT_SEC, WAIT_MOST_SEC = 25, 55
Scope = dict[str, Any]
Found = dict[str, list[dict[str, Any]]]  # as on the wire: commands, reads
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Left(Exception):
    """The agent closed its connection."""


class QueueConsumer:
    """One poll: subscribe, look at the tables, wait, look again; 200 with what there is, or 204 when the wait ends."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.address = client.address_of_scope(scope)

    @classmethod
    def as_asgi(cls) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            logs.clear()
            with suppress(Left):
                await cls(scope, receive, send).answer()

        return app

    async def answer(self) -> None:
        """Answer the request; raises Left when nobody waits for the answer any more."""
        try:
            found = await self._found()
        except problems.Problem as problem:
            await self._send(problem.status_code, problems.body(problem.sentence, problem.fields), problem.headers)
        except Error:
            log.exception("queue.database_failed")
            await self._send(503, problems.body("The hub's database does not answer; try again soon."))
        else:
            await (self._send(200, given(found)) if found else self._send(204, None))

    async def _found(self) -> Found:
        if self.scope["method"] != "GET":
            raise problems.Problem(405, "Only GET.", headers={"Allow": "GET"})
        wait = wait_of(self.scope["query_string"])
        server: Server = await _in_thread(self._server)
        leaving = asyncio.ensure_future(self._left())
        try:
            return await self._poll(server, wait, leaving)
        finally:
            leaving.cancel()

    async def _poll(self, server: Server, wait: int, leaving: asyncio.Future[None]) -> Found:
        ends = asyncio.get_running_loop().time() + wait
        with bells.hung(server.pk) as bell, metrics.WAITING_AGENTS.track_inprogress():
            while not bells.stopping:
                bell.clear()
                found: Found = await _in_thread(claimed, server, self.address)
                if found:
                    return found
                left = ends - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                await _ring_or_leave(bell, leaving, left)
        return {}

    def _server(self) -> Server:
        token = dict(self.scope["headers"]).get(b"x-agent-token", b"").decode("latin-1")
        agent_id = self.scope["url_route"]["kwargs"]["agent"]
        try:
            return agents.server_for(token, agent_id, self.address)
        except agents.BadToken as error:
            raise problems.Problem(401, str(error), headers={"WWW-Authenticate": agents.SCHEME}) from error
        except agents.Forbidden as error:
            raise problems.Problem(403, str(error)) from error

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass  # a body nobody asked for

    async def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = b"" if content is None else msgspec.json.encode(content)
        named = {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})}
        lines = [(name.encode(), value.encode()) for name, value in named.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": lines})
        await self.send({"type": "http.response.body", "body": body})


def wait_of(query: bytes) -> int:
    """The seconds to wait out of `?wait=`; raises Problem 400."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("wait", [str(WAIT_SEC)])[-1]
    if not (given.isascii() and given.isdigit() and len(given) < 4 and int(given) <= WAIT_MOST_SEC):
        raise problems.bad({"wait": f"must be a whole number from 0 to {WAIT_MOST_SEC}"})
    return int(given)


def claimed(server: Server, address: str) -> Found:
    """The server's queued commands, now delivered; else its open reads, now given; empty when there is neither.

    Reads are for the next poll, which follows at once: a command is not held up by looking for them.
    """
    if commands := lifecycle.claim(server, address=address or None):
        return {"commands": [wire.command(command) for command in commands]}
    questions = [reads.for_agent(read) for read in reads.take(server)]
    return {"commands": [], "reads": questions} if questions else {}


def given(found: Found) -> dict[str, Any]:
    """The answer with what was found; the hub's time, by which the deadlines are meant, comes with it."""
    return {**found, "serverTime": timezone.now()}


async def _ring_or_leave(bell: asyncio.Event, leaving: asyncio.Future[None], seconds: float) -> None:
    ringing: asyncio.Future[Any] = asyncio.ensure_future(bell.wait())
    either: set[asyncio.Future[Any]] = {ringing, leaving}
    try:
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ringing.cancel()
    if leaving.done():
        raise Left


async def _in_thread(work: Callable[..., Any], *args: Any) -> Any:
    return await sync_to_async(_and_give_back, thread_sensitive=False)(work, *args)


def _and_give_back(work: Callable[..., Any], *args: Any) -> Any:
    try:
        return work(*args)
    finally:
        close_old_connections()  # no request ends here to give the thread's connection back to the pool
