"""The two doors of the report call, each as a Django test client: the view's, and the lane's in front of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from pmonitor.handler import Handler
from pmonitor.plain_asgi import App, Receive, Scope, Send
from servers.gathering import Gatherer
from servers.report_lane import ReportLane
from tests.cast import agent_with

Door = Callable[[str], Client]  # an agent's client, by its token


def sharing_this_connection() -> Callable[[], None]:
    """Called in another thread, it works in this test's transaction."""
    mine = connections["default"]
    mine.inc_thread_sharing()

    def share() -> None:
        connections["default"] = mine

    return share


def scope_of(environ: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a test client's request."""
    named = {key.removeprefix("HTTP_"): value for key, value in environ.items() if key.startswith("HTTP_")}
    named |= {key: environ[key] for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)}
    named.setdefault("HOST", "testserver")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query_string": environ.get("QUERY_STRING", "").encode(),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "client": (environ.get("REMOTE_ADDR", "127.0.0.1"), 40_000),
        "headers": [(name.replace("_", "-").lower().encode(), str(said).encode()) for name, said in named.items()],
    }


def view(share: Callable[[], None]) -> App:
    """The hub without the lane, made anew for each call since it reads some of the test's settings only once."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        handler = Handler()
        handler.idle.append(ThreadPoolExecutor(1, initializer=share))
        await handler(scope, receive, send)

    return answered


class LaneClient(Client):
    """Sends its requests through the lane, in pieces as a web server does."""

    def __init__(self, lane: ReportLane, share: Callable[[], None], **defaults: Any) -> None:
        super().__init__(**defaults)
        self.share = share
        self.lane = lane

    def request(self, **request: Any) -> Any:
        """The lane's answer, or that of the view behind it."""
        environ = self._base_environ(**request)  # type: ignore[attr-defined]
        return async_to_sync(self._answered)(scope_of(environ), environ["wsgi.input"].read())

    async def _answered(self, scope: dict[str, Any], body: bytes) -> HttpResponse:
        threads = ThreadPoolExecutor(1, initializer=self.share)
        asyncio.get_running_loop().set_default_executor(threads)
        pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)] or [b""]
        messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        messages[-1]["more_body"] = False
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.lane(scope, receive, send)
        start, *rest = sent
        answer = HttpResponse(b"".join(part.get("body", b"") for part in rest), status=start["status"])
        for name, value in start["headers"]:
            answer[name.decode()] = value.decode()
        answer.json = lambda: json.loads(answer.content)  # type: ignore[attr-defined]
        return answer


@pytest.fixture(params=["view", "lane"])
def door(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Door]:
    """Each of the two, in the test's own transaction."""
    if request.param == "view":
        yield agent_with
        return
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)  # as between requests
    share = sharing_this_connection()
    gatherer = Gatherer(share)
    lane = ReportLane(view(share), gatherer)
    yield lambda token: LaneClient(lane, share, headers={"X-Agent-Token": token})
    gatherer.thread.shutdown()
    connections["default"].dec_thread_sharing()
