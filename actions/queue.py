"""The agents' long-poll: plain ASGI in front of Django; a waiting agent holds neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from django.db import Error
from django.utils import timezone

from actions import lifecycle, reads, states, wire
from actions.wake import bells
from pmonitor import client, logs, metrics, problems, rows
from pmonitor.plain_asgi import Left, Receive, Scope, Send, answer, in_thread
from servers import agents
from servers.models import Server

log = logs.get(__name__)
WAIT_SEC, WAIT_MOST_SEC = 25, 55
MOST_REMEMBERED = 50_000  # servers, some 200 bytes each
Found = dict[str, list[dict[str, Any]]]  # as on the wire: commands, reads


class Looked(NamedTuple):
    """A token's server, and whether it has commands or reads to take."""

    server: Server
    waiting: bool


SERVER = rows.Columns(Server, "server")
LOOK = f"""
SELECT {SERVER},
    EXISTS (SELECT FROM actions_command WHERE server_id = server.id AND state = %(queued)s)
    OR EXISTS (SELECT FROM actions_read WHERE server_id = server.id AND verdict = '' AND given_at IS NULL)
FROM servers_server server WHERE server.token_prefix = %(prefix)s
"""  # noqa: S608 - the names of the model's columns
# Servers by their tokens' prefixes, as they last polled: where a bell is hung before the token is looked at.
numbers: dict[str, int] = {}


class QueueConsumer:
    """One poll: subscribe, look at the tables, wait, look when it rings; 200 with what there is, else 204."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.address = client.address_of_scope(scope)
        self.token = dict(scope["headers"]).get(b"x-agent-token", b"").decode("latin-1")

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
            await self._refuse(problem)
        except Error:
            log.exception("queue.database_failed")
            await self._refuse(problems.away())
        else:
            await (answer(self.send, 200, given(found)) if found else answer(self.send, 204, None))

    async def _refuse(self, problem: problems.Problem) -> None:
        said = problems.body(problem.sentence, problem.fields)
        await answer(self.send, problem.status_code, said, problem.headers)

    async def _found(self) -> Found:
        if self.scope["method"] != "GET":
            raise problems.Problem(405, "Only GET.", headers={"Allow": "GET"})
        wait = wait_of(self.scope["query_string"])
        number = numbers.get(agents.prefix_of(self.token)) or (await in_thread(self._checked)).server.pk
        leaving = asyncio.ensure_future(self._left())
        try:
            return await self._poll(number, wait, leaving)
        finally:
            leaving.cancel()

    async def _poll(self, number: int, wait: int, leaving: asyncio.Future[None]) -> Found:
        ends = asyncio.get_running_loop().time() + wait
        with bells.hung(number) as bell, metrics.WAITING_AGENTS.track_inprogress():
            server, found = await in_thread(self._first)
            while not found and not bells.stopping:
                # When nothing rings until the wait is over there is nothing: the next poll, at once, looks anyway.
                if not await _rings(bell, leaving, ends - asyncio.get_running_loop().time()):
                    break
                bell.clear()
                found = await in_thread(claimed, server, self.address)
        return found

    def _first(self) -> tuple[Server, Found]:
        """The first look of a poll, as a rule all of it: one statement tells whose token it is and what there is."""
        looked = self._checked()
        return looked.server, claimed(looked.server, self.address) if looked.waiting else {}

    def _checked(self) -> Looked:
        """The token's server, which may poll so; raises Problem."""
        looked = look(agents.prefix_of(self.token))
        agent_id = self.scope["url_route"]["kwargs"]["agent"]
        server = agents.checked(looked and looked.server, self.token, agent_id, self.address)
        if len(numbers) >= MOST_REMEMBERED:
            numbers.clear()
        numbers[server.token_prefix] = server.pk
        return Looked(server, bool(looked and looked.waiting))

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass  # a body nobody asked for


def look(prefix: str) -> Looked | None:
    """The server whose token begins so, with what waits for it; the caller proves the rest of the token."""
    row = rows.one(LOOK, {"prefix": prefix, "queued": states.QUEUED})
    server = SERVER.take(row) if row else None
    return Looked(server, next(row)) if row and server else None


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


async def _rings(bell: asyncio.Event, leaving: asyncio.Future[None], seconds: float) -> bool:
    """Whether the bell rings within the time; raises Left when the agent leaves."""
    ringing: asyncio.Future[Any] = asyncio.ensure_future(bell.wait())
    either: set[asyncio.Future[Any]] = {ringing, leaving}
    try:
        await asyncio.wait(either, timeout=max(seconds, 0.0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ringing.cancel()
    if leaving.done():
        raise Left
    return bell.is_set()
