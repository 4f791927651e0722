"""What a service looks like before and after an action, and for how long the end was seen to hold."""

from __future__ import annotations

import threading
import time
from typing import Any

from agent import scrub
from agent.hubclock import iso
from agent.logs import log
from agent.managers.base import Manager, ManagerError, State

_POLL_SEC = 0.5
_MAX_CHANGES = 20
_TRIES = 3  # of a look: a manager that is busy may fail to answer once
_PATIENCE = 3  # a service that changes at each look is not watched for ever
_LOG_LINES = 20
_LOG_CHARS = 4096
# Whether a service in this state runs; one on its way somewhere is not compared.
_RUNS = {"active": True, "reloading": True, "inactive": False, "failed": False}
_TELLING = ("activeState", "subState", "mainPid", "startTicks")


def differs_from(expect: dict[str, Any] | None, seen: State) -> str:
    """Why the service is no longer the one the operator looked at; empty when it is."""
    was, now = (_RUNS.get(str(state.get("activeState"))) for state in (expect or {}, seen))
    if None not in (was, now) and was != now:
        words = (expect or {})["activeState"], seen["activeState"]
        return "the service changed since you looked: it was {}, is {}".format(*words)
    for key, word in (("mainPid", "main PID"), ("startTicks", "start ticks")):
        if expect and key in expect and expect[key] != seen.get(key):
            return f"the service changed since you looked: {word} was {_shown(expect[key])}, is {_shown(seen.get(key))}"
    return ""


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


class Settling:
    """Watches a service after an action until its state has held for the settle time, or three times as long in all."""

    def __init__(self, manager: Manager, unit: str, seconds: float, hub_now: float) -> None:
        self._manager = manager
        self._unit = unit
        self._seconds = seconds
        self._started = time.monotonic()
        self._hub_started = hub_now
        self._last: State = {}
        self._since = self._seen_first = self._started
        self.changes: list[dict[str, Any]] = []

    def watch(self, stop: threading.Event) -> State:
        """The last state seen, with settledSec: for how long it was seen without change. Ends early when stopped."""
        while True:
            self._look(stop)
            end = min(self._since + self._seconds, self._seen_first + _PATIENCE * self._seconds)
            left = end - time.monotonic()
            if left <= 0 or stop.wait(min(_POLL_SEC, left)):
                return {**self._last, "settledSec": round(time.monotonic() - self._since, 2)}

    def _look(self, stop: threading.Event) -> None:
        state = self._asked(stop)
        self._seen_first = self._seen_first if self._last else time.monotonic()
        if not self._last or any(state.get(k) != self._last.get(k) for k in _TELLING):
            self._since = time.monotonic()
            if len(self.changes) < _MAX_CHANGES:
                moment = iso(self._hub_started + self._since - self._started)
                self.changes.append({"t": moment, **{k: state.get(k) for k in _TELLING[:3]}})
        self._last = state

    def _asked(self, stop: threading.Event) -> State:
        """The unit's state; ManagerError when its manager does not answer, however often it is asked."""
        for _try in range(1, _TRIES):
            try:
                return self._manager.show(self._unit)
            except ManagerError as error:
                log.info("the service could not be seen; asking again", extra={"unit": self._unit, "error": str(error)})
            if stop.wait(_POLL_SEC):
                break
        return self._manager.show(self._unit)


def last_lines(manager: Manager, unit: str) -> list[str]:
    """The service's last 20 log lines, 4 KB at most; one line saying so where they cannot be read."""
    try:
        lines = manager.logs(unit, _LOG_LINES)
    except ManagerError as error:
        return [f"(the log cannot be read: {error})"[:500]]
    kept: list[str] = []
    room = _LOG_CHARS
    for line in map(scrub.text, reversed(lines)):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]
