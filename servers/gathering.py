"""Gathers the reports that come in within a tenth of a second, and stores them together; then each is answered.

Used from one event loop. All is done in one thread, which keeps its database connection: measured beside
psycopg's asynchronous connection it took less of the CPU, and what listens to reports uses Django's ORM. Decoding is
done there too, report by report: each makes thousands of objects, where those of the one before were a moment ago and
the CPU's caches still are. Done as each one came it took nearly twice the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from django.db import Error, connection

from pmonitor import live, logs, problems
from pmonitor.plain_asgi import Left
from servers import ingest, intake
from servers.ingest import End, Incoming, Stored
from servers.intake import Sent

log = logs.get(__name__)
GATHER_SEC = 0.02
LONGEST_SEC = 0.1  # in which a busy hub gathers: a commit for two reports costs as much as one for ten
MOST_TOGETHER = 100  # in one transaction
MOST_WAITING = 1000  # each is some 20 KB of memory; what comes then is asked to come again
LOOK_EVERY_SEC = 1.0  # for the database, while it is away
T = TypeVar("T")


class NotPlain(Exception):
    """The report has to be read thoroughly before it can be stored: as a rule something is wrong with it."""


class _Waiting(NamedTuple):
    report: Sent | Incoming
    end: asyncio.Future[Stored]
    left: Callable[[], bool]

    def ends(self, end: End) -> None:
        if self.end.done():
            return  # its agent left
        if isinstance(end, Exception):
            self.end.set_exception(end)
        else:
            self.end.set_result(end)


class Gatherer:
    """One a web process. While the database is away it takes nothing; agents keep their reports and come again."""

    def __init__(self, prepare: Callable[[], None] | None = None) -> None:
        """`prepare` runs first in the thread that stores."""
        self.waiting: list[_Waiting] = []
        self.came = 1  # reports, the last time
        self.away = False
        self.task: asyncio.Task[None] | None = None
        self.thread = ThreadPoolExecutor(1, "reports", initializer=prepare)

    def check(self) -> None:
        """Raise Problem 503 if no report can be taken now."""
        if self.away:
            raise problems.away()
        if len(self.waiting) >= MOST_WAITING:
            sentence = "Reports come faster than the hub stores them; try again soon."
            raise problems.Problem(503, sentence, headers={"Retry-After": str(problems.AGAIN_SEC)})

    async def store(self, report: Sent | Incoming, left: Callable[[], bool] = lambda: False) -> Stored:
        """Store the report with those that come with it; raises Gone or NotPlain, and Problem 503 if none can be.

        left: whether its agent closed the connection. Then it raises Left: what has lain about for longer than its
        agent waits for an answer would be placed at the wrong time, and the agent sends it again, with its age.
        """
        self.check()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(report, loop.create_future(), left)
        self.waiting.append(waiting)
        if self.task is None or self.task.done():
            live.loop = loop  # what the thread announces needs no event loop of its own
            self.task = loop.create_task(self._store_what_waits())
        return await waiting.end

    def gather_sec(self) -> float:
        """How long to wait for others: the longer the more came together the last time."""
        return min(GATHER_SEC * self.came, LONGEST_SEC)

    def close(self) -> None:
        """Give the thread and its connection back; nothing may wait any more."""
        self.thread.submit(lambda: connection.close()).result()
        self.thread.shutdown()

    async def _store_what_waits(self) -> None:
        while self.waiting:
            await asyncio.sleep(self.gather_sec())
            self.came = len(self.waiting)
            batch, self.waiting = self.waiting[:MOST_TOGETHER], self.waiting[MOST_TOGETHER:]
            batch = self._without_those_who_left(batch)
            try:
                ends = await self._in_thread(_stored, [one.report for one in batch])
            except Error as error:
                await self._wait_for_database(batch, error)
            except Exception as error:
                log.exception("gathering.failed", reports=len(batch))
                self._end(batch, [error] * len(batch))
            else:
                self._end(batch, ends)

    def _without_those_who_left(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        there = []
        for one in batch:
            if one.left():
                one.ends(Left())
            else:
                there.append(one)
        return there

    def _end(self, batch: Sequence[_Waiting], ends: Sequence[End]) -> None:
        for one, end in zip(batch, ends, strict=True):
            one.ends(end)

    async def _wait_for_database(self, batch: Sequence[_Waiting], error: Error) -> None:
        refused, self.waiting, self.away = [*batch, *self.waiting], [], True
        log.warning("gathering.database_away", refused=len(refused), reason=str(error).strip())
        self._end(refused, [problems.away() for _ in refused])
        while not await self._in_thread(_is_there):
            await asyncio.sleep(LOOK_EVERY_SEC)
        self.away = False
        log.info("gathering.database_back")

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, partial(work, *args))


def _stored(reports: Sequence[Sent | Incoming]) -> list[End]:
    """In the thread."""
    read = [_read(one) if isinstance(one, Sent) else one for one in reports]
    plain = [one for one in read if isinstance(one, Incoming)]
    ends = iter(_committed(plain) if plain else [])
    return [one if isinstance(one, Exception) else next(ends) for one in read]


def _read(sent: Sent) -> Incoming | Exception:
    try:
        return intake.read(sent) or NotPlain()
    except Exception as error:  # noqa: BLE001 - raised where its agent is answered
        return error


def _committed(reports: Sequence[Incoming]) -> list[End]:
    """A kept connection may have died since: then once more on a new one, which stores none twice."""
    kept = connection.connection is not None
    try:
        return ingest.store_all(reports)
    except Error:
        connection.close()
        if not kept:
            raise
    pooled: Any = connection
    pooled.pool.check()  # those in the pool may have died with it
    try:
        return ingest.store_all(reports)
    except Error:
        connection.close()
        raise


def _is_there() -> bool:
    try:
        connection.ensure_connection()
        return bool(connection.is_usable())
    except Error:
        return False
