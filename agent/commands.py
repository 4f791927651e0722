"""Commands from the hub: one thread waits for them (and for reads), each runs in its own, one hands in the results."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from agent.backoff import Backoff
from agent.command import Result, command_id
from agent.execute import Executor
from agent.hub import Answer, Hub, Unreachable
from agent.journal import Journal, JournalError
from agent.logs import log
from agent.reads import Reads
from agent.register import REFUSED_SEC

WAIT_SEC = 25.0
_AT_ONCE = 16  # commands under way; the hub gives one a service, and sends those left out again
_FINAL = (400, 404, 409, 410, 413, 422)  # the hub will never take this result


class Ended(NamedTuple):
    """A command's thread is through: with a result, with nothing to say, or with an error that nobody expected."""

    command: str
    result: Result | None
    error: Exception | None


class Commands:
    """The command loop (`poll`) and its worker (`work`), each for a thread of its own."""

    def __init__(self, hub: Hub, executor: Executor, journal: Journal, reads: Reads, stop: threading.Event) -> None:
        self._hub = hub
        self._reads = reads
        self._executor = executor
        self._journal = journal
        self._stop = stop
        self._events: queue.Queue[dict[str, Any] | Ended] = queue.Queue()  # commands that came, and ended ones
        # Being run, about to, or looked after because an earlier run left it unfinished.
        self._in_hand: set[str] = {entry["id"] for entry in journal.unfinished() if entry.get("acted")}
        self._unsent: dict[str, Result] = {}
        self._backoff = Backoff()
        self._send_at = 0.0

    def poll(self) -> None:
        """Long-poll until stopped."""
        backoff = Backoff()
        reachable = True
        while not self._stop.is_set():
            asked = time.monotonic()
            try:
                answer = self._hub.commands(WAIT_SEC)
            except Unreachable as error:
                if reachable:
                    log.warning("cannot wait for commands", extra={"error": str(error)})
                reachable = False
                self._stop.wait(backoff.next())
                continue
            reachable = True
            self._stop.wait(self._taken(answer, time.monotonic() - asked, backoff))

    def _taken(self, answer: Answer, took: float, backoff: Backoff) -> float:
        """Queue what came; returns seconds to wait before asking again."""
        if answer.status == 200:
            backoff.reset()
            asked = self._reads.start(answer.body.get("reads"))
            return 0.0 if self._queue(answer.body.get("commands")) or asked else 1.0
        if answer.status == 204:
            if took < 1.0:  # a hub that is stopping lets everyone go at once: do not come back at once
                return backoff.next()
            backoff.reset()
            return 0.0
        log.error("the hub does not give commands", extra={"answer": answer.why()})
        if answer.retry_after is not None:
            return answer.retry_after
        return REFUSED_SEC if answer.status in (401, 403) else backoff.next()

    def _queue(self, commands: object) -> bool:
        """Whether something new was among them."""
        new = False
        for raw in commands if isinstance(commands, list) else []:
            command = command_id(raw)
            if command is None:
                log.error("the hub sent something that is not a command", extra={"sent": str(raw)[:200]})
            elif command not in self._in_hand:
                if len(self._in_hand) >= _AT_ONCE:
                    log.error("too many commands at once: left for the hub to send again")
                    return new
                self._in_hand.add(command)
                self._events.put(raw)
                new = True
        return new

    def work(self) -> None:
        """Tell what an earlier run left untold, then start what comes and tell what came of it, until stopped."""
        self._recover()
        while not self._stop.is_set():
            try:
                event = self._events.get(timeout=0.5 if self._unsent else None)
            except queue.Empty:
                self._send_unsent()
                continue
            self._handle(event)

    def _handle(self, event: dict[str, Any] | Ended) -> None:
        if isinstance(event, Ended):
            self._ended(event)
        else:
            self._unsent.pop(event["id"], None)
            self._begin(self._executor.result_of, event)

    def _begin(self, work: Callable[[dict[str, Any]], Result | None], subject: dict[str, Any]) -> None:
        threading.Thread(target=self._execute, args=(work, subject), name="command", daemon=True).start()

    def _execute(self, work: Callable[[dict[str, Any]], Result | None], subject: dict[str, Any]) -> None:
        result, unexpected = None, None
        try:
            result = work(subject)
        except Exception as error:  # noqa: BLE001 - the worker raises it: this thread has no caller
            unexpected = error
        self._events.put(Ended(subject["id"], result, unexpected))

    def _ended(self, ended: Ended) -> None:
        if ended.error is not None:
            raise ended.error
        self._in_hand.discard(ended.command)  # from here on the journal answers, should it come again
        if ended.result is not None:
            self._unsent[ended.command] = ended.result
            self._send_at = 0.0
            self._send_unsent()

    def _recover(self) -> None:
        for entry in self._journal.unreported():
            self._unsent[entry["id"]] = entry["result"]
        for entry in self._journal.unfinished():
            log.warning(
                "an earlier run left a command unfinished", extra={"command": entry["id"], "step": entry["step"]}
            )
            if entry.get("acted"):
                self._begin(self._executor.interrupted, entry)  # watches for a while, as after any action
            else:
                # Perhaps the hub was told that it begins: if not, it refuses this result and may send it again.
                reason = "not run: the agent ended before it began"
                ack = {"ack": entry["ack"]} if "ack" in entry else {}
                self._unsent[entry["id"]] = {**ack, "outcome": "interrupted", "reason": reason}

    def _send_unsent(self) -> None:
        for command, result in list(self._unsent.items()):
            if self._stop.is_set() or time.monotonic() < self._send_at:
                return
            try:
                answer = self._hub.result(command, result)
            except Unreachable as error:
                self._later(command, str(error))
            else:
                self._sent(command, result, answer)

    def _sent(self, command: str, result: Result, answer: Answer) -> None:
        entry = self._journal.get(command) or {}
        if answer.status == 200:
            self._backoff.reset()
            log.info("result taken", extra={"command": command, "state": answer.body.get("state")})
        elif answer.status in _FINAL:
            log.warning("the hub does not take a result", extra={"command": command, "answer": answer.why()})
        else:
            self._later(command, answer.why(), answer.retry_after)
            return
        del self._unsent[command]
        if answer.status != 200 and not entry.get("acted") and "result" not in entry:
            self._journal.forget(command)
            return
        try:
            self._journal.write(command, "reported", result=result)
        except JournalError as error:  # sent again after the next start, and taken as the same
            log.error(str(error), extra={"command": command})

    def _later(self, command: str, why: str, after: float | None = None) -> None:
        log.warning("a result cannot be sent yet", extra={"command": command, "why": why})
        self._send_at = time.monotonic() + (self._backoff.next() if after is None else after)
