"""A request's thread: its own while it is at work, and another request's afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from pmonitor import handler
from pmonitor.handler import Handler

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "root_path": ""}


class Toy(Handler):
    """Answers with what `view` says, in place of middlewares and routes."""

    view: Callable[[], str]

    def load_middleware(self, is_async: bool = False) -> None:
        pass

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        return HttpResponse(self.view())


async def _get(toy: Toy, leaves: asyncio.Event | None = None) -> str:
    messages: list[dict[str, Any]] = []
    body = [{"type": "http.request", "body": b""}]

    async def receive() -> dict[str, Any]:
        if body:
            return body.pop()
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await toy(SCOPE, receive, send)
    return b"".join(message.get("body", b"") for message in messages).decode()


async def _idle(toy: Toy, count: int) -> None:
    """Until so many threads wait for the next request."""
    async with asyncio.timeout(10):
        while len(toy.idle) < count:
            await asyncio.sleep(0.001)


def test_one_request_after_another_runs_in_the_same_thread() -> None:
    toy = Toy()
    toy.view = lambda: str(threading.get_ident())

    async def run() -> set[str]:
        seen = set()
        for _ in range(3):
            seen.add(await _get(toy))
            await _idle(toy, 1)
        return seen

    assert len(asyncio.run(run())) == 1


def test_requests_at_the_same_time_run_in_threads_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "IDLE_MOST", 2)
    toy, together = Toy(), threading.Barrier(4)

    def view() -> str:
        together.wait(10)
        return str(threading.get_ident())

    toy.view = view

    async def run() -> list[str]:
        answers = await asyncio.gather(*(_get(toy) for _ in range(4)))
        await _idle(toy, 2)
        return answers

    assert len(set(asyncio.run(run()))) == 4
    assert len(toy.idle) == 2


def test_a_thread_that_a_leaving_client_keeps_busy_is_nobody_elses() -> None:
    toy, begun, finish = Toy(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        finish.wait(10)
        return "too late"

    toy.view = slow

    async def run() -> str:
        leaves = asyncio.Event()
        leaving = asyncio.create_task(_get(toy, leaves))
        await asyncio.to_thread(begun.wait, 10)
        leaves.set()
        toy.view = lambda: "at once"
        answer = await asyncio.wait_for(_get(toy), 10)
        finish.set()
        await asyncio.wait([leaving], timeout=10)
        await _idle(toy, 2)
        return answer

    assert asyncio.run(run()) == "at once"
