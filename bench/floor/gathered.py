"""The floor of the report call: each body goes as it is, by a COPY of what came within 100 ms, into a bare table.

Nothing is unpacked, decoded or checked, no token either; the answer comes after the commit. BENCH_TABLE names the
table, DATABASE_URL the database.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

GATHER_SEC = 0.1  # as a busy hub does
ANSWER = b'{"serverTime": "2026-01-31T12:00:00.123456Z", "intervalSec": 10}'
HEADERS = [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(ANSWER)).encode())]


class Floor:
    """The table, and what waits to go into it."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.task: asyncio.Task[None] | None = None
        self.thread = ThreadPoolExecutor(1)
        self.connection = psycopg.connect(os.environ["DATABASE_URL"])
        self.statement = f"COPY {os.environ['BENCH_TABLE']} FROM STDIN BINARY"

    async def store(self, body: bytes) -> None:
        """Until the commit."""
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[None] = loop.create_future()
        self.waiting.append((body, committed))
        if self.task is None or self.task.done():
            self.task = loop.create_task(self._store_what_waits())
        await committed

    async def _store_what_waits(self) -> None:
        while self.waiting:
            await asyncio.sleep(GATHER_SEC)
            batch, self.waiting = self.waiting, []
            bodies = [body for body, _committed in batch]
            await asyncio.get_running_loop().run_in_executor(self.thread, self._copy, bodies)
            for _body, committed in batch:
                committed.set_result(None)

    def _copy(self, bodies: list[bytes]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(self.statement) as copy:
            copy.set_types(["bytea"])
            for body in bodies:
                copy.write_row([body])
        self.connection.commit()


floor: Floor | None = None


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application that takes any POST."""
    global floor
    floor = floor or Floor()
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message["more_body"]
    await floor.store(b"".join(parts))
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
