"""Many open pages: WebSockets in one event loop of a thread of its own, each noting what came and when."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
QUIET_SEC, LONGEST_SEC = 0.3, 20.0
TEXT, PING, PONG = 0x81, 0x89, 0x8A  # whole messages, by their first byte


class Came(NamedTuple):
    """A message of a socket and when its last byte was there, by perf_counter."""

    at: float
    text: str


class PagesOpen:
    """So many sockets on /ws of a port; a context manager."""

    def __init__(self, port: int, count: int, cookie: str = "") -> None:
        self.port, self.count, self.cookie = port, count, cookie
        self.came: list[list[Came]] = [[] for _ in range(count)]
        self.answers = [0] * count  # the blank messages, which end what was asked for
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> PagesOpen:
        self.thread.start()
        self.lines: list[Line] = asyncio.run_coroutine_threadsafe(self._open_all(), self.loop).result(LONGEST_SEC)
        self.reading = [
            asyncio.run_coroutine_threadsafe(self._read(number, reader), self.loop)
            for number, (reader, _writer) in enumerate(self.lines)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.reading:
            task.cancel()
        for _reader, writer in self.lines:
            self.loop.call_soon_threadsafe(writer.close)
        time.sleep(0.1)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    async def _open_all(self) -> list[Line]:
        return await asyncio.gather(*(self._open() for _ in range(self.count)))

    async def _open(self) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        host = f"127.0.0.1:{self.port}"
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {self.cookie}\r\n"
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        writer.write(f"{head}{upgrade}\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer.splitlines()[0], answer
        return reader, writer

    async def _read(self, number: int, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError):  # the end
            while True:
                kind, text = await _message(reader)
                if kind == PING:
                    self.lines[number][1].write(_frame(PONG, text))
                elif text.strip():
                    self.came[number].append(Came(time.perf_counter(), text.decode()))
                else:
                    self.answers[number] += 1

    def say(self, text: str, sockets: Sequence[int] | None = None) -> None:
        """Send the same to these sockets, or to all."""
        frame = _frame(TEXT, text.encode())
        for number in range(self.count) if sockets is None else sockets:
            self.loop.call_soon_threadsafe(self.lines[number][1].write, frame)

    def answered(self, sockets: Sequence[int], times: int) -> None:
        """Wait until these have had so many blank answers."""
        deadline = time.monotonic() + 3 * LONGEST_SEC
        while any(self.answers[number] < times for number in sockets):
            self._check(deadline)
            time.sleep(0.002)

    def taken(self) -> list[list[Came]]:
        """What came to each since the last time, once all have as much as the first and nothing more comes."""
        deadline = time.monotonic() + LONGEST_SEC
        while not self._complete():
            self._check(deadline)
            time.sleep(0.02)
        taken, self.came = self.came, [[] for _ in range(self.count)]
        return taken

    def _check(self, deadline: float) -> None:
        for task in self.reading:
            if task.done():
                task.result()  # raises what ended it
        assert time.monotonic() < deadline, f"messages so far: {sorted(map(len, self.came))}"

    def _complete(self) -> bool:
        counts = {len(messages) for messages in self.came}
        if counts == {0} or len(counts) > 1:
            return False
        return time.perf_counter() - max(messages[-1].at for messages in self.came) > QUIET_SEC


async def _message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, length = await reader.readexactly(2)
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await reader.readexactly(8))
    body = await reader.readexactly(length)
    assert kind in (TEXT, PING), f"not a whole text message: {kind:#x} {body[:80]!r}"
    return kind, body


def _frame(kind: int, body: bytes) -> bytes:
    """A masked frame; a mask of zeros leaves the bytes as they are."""
    size = bytes([0x80 | len(body)]) if len(body) < 126 else struct.pack("!BH", 0x80 | 126, len(body))
    return bytes([kind]) + size + bytes(4) + body
