"""A small real HTTP server that speaks the agent's protocol: it knows PROTOCOL.md and nothing else."""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agent.hubclock import iso
from tests.patience import PATIENCE

Json = dict[str, Any]


class ToyHub:
    """Holds what agents sent, and hands out what a test puts in; use as a context manager."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.changed = threading.Condition()
        self.registrations: list[Json] = []
        self.reports: list[Json] = []
        self.acks: list[tuple[str, Json]] = []
        self.results: list[tuple[str, Json]] = []
        self.polls = 0
        self.tokens: list[str | None] = []
        self.waiting: list[Json] = []
        self.asking: list[Json] = []
        self.answers: list[tuple[str, Json]] = []
        self.interval = 1.0
        self.grid: float | None = None  # the usual interval, while it is another
        self.retry_after = ""
        self.mute = False  # reports are taken, and their agents never hear of it
        self.knows: Callable[[Json], bool] = lambda report: False  # whose process tables it keeps, and says so
        self.tables: dict[float, list[Json]] = {}  # by the report's ts
        self.refuse: Callable[[Json], tuple[int, Json] | None] = lambda report: None
        self.register_answer: tuple[int, Json] | None = None
        self.report_answer: tuple[int, Json] | None = None
        self.ack_answer: tuple[int, Json] | None = None
        self.result_answer: tuple[int, Json] | None = None
        self.read_answer: tuple[int, Json] | None = None
        self._server: _Server | None = None

    def __enter__(self) -> ToyHub:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        hub = self

        class Handler(_Handler):
            toy = hub

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, number: int, cmd: str, target: str, within: float = 120, **fields: Any) -> Json:
        """Offer a command; returns it as sent."""
        now = time.time()
        command = {
            "id": f"00000000-0000-7000-8000-{number:012d}",
            "cmd": cmd,
            "target": target,
            "createdAt": iso(now),
            "deliverBy": iso(now + 120),
            "executeBy": iso(now + within),
            "expect": None,
            **fields,
        }
        with self.changed:
            self.waiting.append(command)
            self.changed.notify_all()
        return command

    def read(self, number: int, kind: str, target: str = "", within: float = 60, **fields: Any) -> Json:
        """Ask something; returns it as sent."""
        read_id = f"00000000-0000-7000-9000-{number:012d}"
        read: Json = {"id": read_id, "kind": kind, "target": target, "args": {}, "answerBy": iso(time.time() + within)}
        read |= fields
        with self.changed:
            self.asking.append(read)
            self.changed.notify_all()
        return read

    def wait_for(self, condition: Any, seconds: float = 15) -> None:
        """Wait until something holds; fails the test when it does not in time."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE * seconds), "the agent did not do it in time"

    def note(self, where: list[Any], what: Any) -> None:
        with self.changed:
            where.append(what)
            self.changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections = [*getattr(self, "connections", []), request]
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Kept connections would outlive the server otherwise."""
        for connection in getattr(self, "connections", []):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that was killed leaves a broken pipe behind: expected here."""


class _Handler(BaseHTTPRequestHandler):
    toy: ToyHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        toy, wait = self.toy, float(parse_qs(urlsplit(self.path).query).get("wait", ["0"])[0])
        with toy.changed:
            toy.polls += 1
            toy.changed.notify_all()
            deadline = time.monotonic() + wait
            while not (toy.waiting or toy.asking) and time.monotonic() < deadline and not self._left():
                toy.changed.wait(0.1)
            if self._left():
                return
            given: Json = {"commands": toy.waiting, **({"reads": toy.asking} if toy.asking else {})}
            toy.waiting, toy.asking = [], []
        self._answer(200, given) if any(given.values()) else self._answer(204, None)

    def _left(self) -> bool:
        """Whether the agent has gone: what waits is not for its dead connection."""
        looking = select.poll()  # select() itself takes no descriptor above 1023, and a long run may have those
        looking.register(self.connection, select.POLLIN)
        return bool(looking.poll(0))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw)
        toy, parts = self.toy, self.path.strip("/").split("/")
        toy.note(toy.tokens, self.headers.get("X-Agent-Token"))
        if parts[-1] == "register":
            toy.note(toy.registrations, body)
            self._answer(
                *(toy.register_answer or (201, {"agentId": body["agentId"], "token": "toy-token-1", "intervalSec": 1}))
            )
        elif parts[-1] == "metrics":
            answer = toy.report_answer or toy.refuse(body) or self._take(body)
            if answer[0] == 202:
                toy.note(toy.reports, body)
            if toy.mute:
                self.close_connection = True
            else:
                self._answer(*answer)
        elif parts[-1] == "ack":
            toy.note(toy.acks, (parts[-2], body))
            self._answer(*(toy.ack_answer or (200, {"state": "running"})))
        elif parts[-2] == "reads":
            toy.note(toy.answers, (parts[-1], body))
            self._answer(*(toy.read_answer or (200, {"taken": True})))
        else:
            answer = toy.result_answer or (200, {"state": "succeeded"})
            if answer[0] != 500:
                toy.note(toy.results, (parts[-2], body))
            self._answer(*answer)

    def _take(self, report: Json) -> tuple[int, Json]:
        """A report with changes gets the `procs` they mean."""
        toy, answer = self.toy, {"serverTime": iso(time.time()), "intervalSec": self.toy.interval}
        if "changes" in report:
            if report["base"] not in toy.tables:
                return 409, {}
            report["procs"] = told_by_changes(toy.tables[report["base"]], report["changes"])
        if toy.knows(report):
            toy.tables[report["ts"]] = report["procs"]
            answer["base"] = report["ts"]
        return 202, answer | ({"gridSec": toy.grid} if toy.grid else {})

    def _answer(self, status: int, body: Json | None) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(raw)))
        if self.toy.retry_after and status >= 400:
            self.send_header("Retry-After", self.toy.retry_after)
        self.end_headers()
        self.wfile.write(raw)


def told_by_changes(base: list[Json], changes: Json) -> list[Json]:
    """The processes that a report's `changes` to this list mean, as PROTOCOL.md has it."""
    new = dict(zip(changes["new"], changes["procs"], strict=True))
    stayed = iter([process for place, process in enumerate(base) if place not in changes["gone"]])
    procs = [new[place] if place in new else dict(next(stayed)) for place in range(changes["count"])]
    assert next(stayed, None) is None, "more have stayed than there is room for"
    moving = ("cpu", "memMB", "status", "threads")
    for place, *values in zip(changes["moved"], *(changes[name] for name in moving), strict=True):
        procs[place] |= dict(zip(moving, values, strict=True))
    return procs
