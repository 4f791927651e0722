"""Reads on demand: questions of the hub that change nothing here, each answered once and in its time, or not at all."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from agent import hubclock
from agent.backoff import Backoff
from agent.command import command_id
from agent.hub import Hub, Unreachable
from agent.logs import log
from agent.managers.base import ManagerError

MAX_ANSWER = 250_000  # bytes; the hub takes 256 KB
_AT_ONCE = 4
_LONGEST_SEC = 20.0  # whatever the hub says
_TARGET_CHARS = 255

Answer = dict[str, Any]


class NoAnswer(Exception):
    """Why this cannot be answered; the text is for the operator."""


class Read(NamedTuple):
    """A question as the hub sent it, checked; `seconds` are left for the answer."""

    id: str
    kind: str
    target: str
    args: dict[str, Any]
    seconds: float


# Answers a read, or raises NoAnswer or ManagerError. It need not watch the time, but what it starts should end by then.
Kind = Callable[[Read], Answer]


class Reads:
    """Answers reads, each in a thread of its own, a few at once."""

    def __init__(self, hub: Hub, kinds: Mapping[str, Kind], stop: threading.Event) -> None:
        self._hub = hub
        self._kinds = kinds
        self._stop = stop
        self._room = threading.BoundedSemaphore(_AT_ONCE)

    def start(self, raw: object) -> bool:
        """Begin to answer what came with a poll; whether there was anything."""
        asked = [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []
        for one in asked:
            number = command_id(one)
            if number is None:
                log.error("the hub asked something that has no id", extra={"sent": str(one)[:200]})
            else:
                threading.Thread(target=self._answer, args=(number, one), name="read", daemon=True).start()
        return bool(asked)

    def _answer(self, number: str, raw: dict[str, Any]) -> None:
        try:
            read = parse(number, raw, self._hub.clock.now())
        except NoAnswer as error:
            self._send(number, _encoded({"error": str(error)}), _LONGEST_SEC)
            return
        if read.seconds > 0:  # else nobody waits any more
            ends = hubclock.since_boot() + read.seconds
            said = self._within(read)
            self._send(number, said, ends - hubclock.since_boot())

    def _within(self, read: Read) -> bytes:
        """What is to be sent, found within the time; what takes longer keeps its place until it ends."""
        if not self._room.acquire(blocking=False):
            return _encoded({"error": f"the agent is answering {_AT_ONCE} other questions just now"})
        found: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._find, args=(read, found), name="find", daemon=True).start()
        try:
            return found.get(timeout=read.seconds)
        except queue.Empty:
            return _encoded({"error": f"not found out within {read.seconds:.0f} s"})

    def _find(self, read: Read, found: queue.Queue[bytes]) -> None:
        try:
            found.put(_encoded(self._found(read)))
        finally:
            self._room.release()

    def _found(self, read: Read) -> dict[str, Any]:
        kind = self._kinds.get(read.kind)
        if kind is None:
            return {"error": f"this agent does not know the question {read.kind!r}"}
        try:
            return {"answer": kind(read)}
        except (NoAnswer, ManagerError) as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a thread has no caller: log it and say so
            log.exception("a read failed", extra={"read": read.id, "kind": read.kind})
            return {"error": f"the agent failed at this: {type(error).__name__}"}

    def _send(self, number: str, body: bytes, seconds: float) -> None:
        """Tell the hub, again where it cannot be reached, as long as somebody waits."""
        backoff, ends = Backoff(first=0.5, cap=2.0), hubclock.since_boot() + seconds
        while not self._stop.is_set():
            try:
                answer = self._hub.answer_read(number, body)
            except Unreachable as error:
                why = str(error)
            else:
                if answer.status < 500 and answer.status != 429:
                    if answer.status != 200:
                        log.warning("the hub does not take an answer", extra={"read": number, "answer": answer.why()})
                    return
                why = answer.why()
            pause = backoff.next()
            if hubclock.since_boot() + pause > ends:
                log.warning("an answer could not be sent in time", extra={"read": number, "why": why})
                return
            self._stop.wait(pause)


def parse(number: str, raw: dict[str, Any], hub_now: float) -> Read:
    """A read as the hub sent it; raises NoAnswer naming what is wrong."""
    kind, target, args = raw.get("kind"), raw.get("target", ""), raw.get("args") or {}
    if not isinstance(kind, str) or len(kind) > 40:
        raise NoAnswer("kind is not a word")
    if not isinstance(target, str) or len(target) > _TARGET_CHARS:
        raise NoAnswer("target is not a name")
    if not isinstance(args, dict):
        raise NoAnswer("args is not an object")
    try:
        answer_by = hubclock.parse(raw.get("answerBy"))
    except ValueError as error:
        raise NoAnswer(f"answerBy: {error}") from error
    return Read(number, kind, target, args, min(answer_by - hub_now, _LONGEST_SEC))


def _encoded(said: dict[str, Any]) -> bytes:
    if "error" in said:
        said = {"error": said["error"][:1000] or "no reason was given"}
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(body) > MAX_ANSWER:
        return _encoded({"error": f"the answer would be larger than {MAX_ANSWER:,} bytes"})
    return body
