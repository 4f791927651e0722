"""What a request leaves behind in the web process: nothing that only the garbage collector could free."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from pmonitor.plain_asgi import LEFT, Receive, Scope, Send
from pmonitor.web import Web
from tests.ports import free_port

REQUESTS = 20
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def hub(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    left = scope[LEFT]()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": str(left).encode()})


async def asked(web: Web) -> list[bytes]:
    """The answers to some requests on one connection."""
    serving = asyncio.create_task(web.serve([web.listen()]))
    while not web.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*web.address)
    answers = []
    for _ in range(REQUESTS):
        writer.write(POST)
        await reader.readuntil(b"\r\n\r\n")
        answers.append(await reader.readexactly(5))
    # Not isinstance: of other tests' lazy objects that asks the database.
    there = [one for one in gc.get_objects() if type(one) is RequestResponseCycle]
    answers.append(str(len(there)).encode())
    writer.close()
    web.should_exit = True
    await serving
    return answers


@pytest.mark.usefixtures("no_garbage_collector")
def test_a_request_goes_with_its_answer() -> None:
    web: Any = Web(hub, "127.0.0.1", free_port())
    *answers, there = asyncio.run(asked(web))
    assert answers == [b"False"] * REQUESTS
    assert int(there) <= 2, "the last one may still end"
