"""Wakes waiting agents: one LISTEN connection a web process, one bell a poll. A hint only; the table is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error, close_old_connections
from psycopg import sql

from actions import lifecycle, states
from actions.models import Command, Read
from pmonitor import live, logs, stopping

log = logs.get(__name__)
LOOK_EVERY_SEC = 2.0  # at the table, while nothing listens
AGAIN_AFTER_SEC = 0.2  # a connection that had worked is made again
CHECK_EVERY_SEC = 30.0  # whether the connection still lives
ANSWER_WITHIN_SEC = 5.0


class Bells:
    """The bells of one web process, by server. Used from one event loop."""

    def __init__(self) -> None:
        self.waiting: dict[int, set[asyncio.Event]] = {}
        self.stopping = False
        self.listening = False
        self.task: asyncio.Task[None] | None = None

    @contextmanager
    def hung(self, server_id: int) -> Iterator[asyncio.Event]:
        """A bell that rings when the server may have a command or a read, or when this process stops."""
        self._start()
        bell = asyncio.Event()
        bells = self.waiting.setdefault(server_id, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells and self.waiting.get(server_id) is bells:
                del self.waiting[server_id]

    def ring(self, server_id: int) -> None:
        """Wake those that wait for what this server is to do."""
        for bell in self.waiting.get(server_id, ()):
            bell.set()

    def release_all(self) -> None:
        """The process stops: every waiting poll ends now, with 204."""
        self.stopping = True
        for server_id in self.waiting:
            self.ring(server_id)
        if self.task is not None:
            self.task.cancel()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self.task is None or self.task.done() or self.task.get_loop() is not loop:
            if self.task is None:
                stopping.on_stop(self.release_all)
            self.task = loop.create_task(self._listen_for_ever())
            live.loop = loop  # what this process's threads announce needs no event loop of its own

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("wake.lost", error=str(error).strip())
            lost, self.listening = self.listening, False
            await self._look()
            await asyncio.sleep(AGAIN_AFTER_SEC if lost else LOOK_EVERY_SEC)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(lifecycle.CHANNEL)))
            self.listening = True
            while True:
                await self._look()  # what was queued while nobody listened
                async for notice in connection.notifies(timeout=CHECK_EVERY_SEC):
                    if notice.payload.isdecimal() and len(notice.payload) < 19:  # anybody in the database may notify
                        self.ring(int(notice.payload))
                async with asyncio.timeout(ANSWER_WITHIN_SEC):
                    await connection.execute("SELECT 1")

    async def _look(self) -> None:
        """Ring for every server with a queued command or an open read: two queries for all who wait here."""
        try:
            servers = await sync_to_async(_servers_with_something, thread_sensitive=False)(list(self.waiting))
        except Error as error:
            log.warning("wake.cannot_look", error=str(error).strip())
            return
        for server_id in servers:
            self.ring(server_id)


def _servers_with_something(waiting: list[int]) -> list[int]:
    try:
        queued = Command.objects.filter(server__in=waiting, state=states.QUEUED).order_by()
        asked = Read.objects.filter(server__in=waiting, verdict="", given_at=None)
        return list({*queued.values_list("server_id", flat=True), *asked.values_list("server_id", flat=True)})
    finally:
        close_old_connections()


def _address() -> dict[str, Any]:
    database = settings.DATABASES["default"]
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: database.get(key) for name, key in names.items()}
    return {
        **{name: value for name, value in given.items() if value},
        "application_name": "pmonitor listen",
        "connect_timeout": int(ANSWER_WITHIN_SEC),
    }


bells = Bells()
