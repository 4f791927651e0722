"""One command from its arrival to its evidence: refused, or acknowledged, run once and watched."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from agent import hubclock, itself
from agent.backoff import Backoff
from agent.command import Action, Command, Kind, NotRun, Refused, Result, parse
from agent.hub import Hub, Unreachable
from agent.journal import Entry, Journal, JournalError
from agent.logs import log
from agent.managers.base import Acted

_STALE_SEC = 1.0  # what was looked at so long ago is looked at again before the action


class Executor:
    """Runs commands, each in its caller's thread; `kinds` says by the verb what a command acts on."""

    def __init__(self, hub: Hub, journal: Journal, kinds: Mapping[str, Kind], stop: threading.Event) -> None:
        self._hub = hub
        self._journal = journal
        self._kinds = kinds
        self._stop = stop

    def result_of(self, raw: dict[str, Any]) -> Result | None:
        """The result to send for a command just received; None when there is nothing to say (not run, or stopping)."""
        entry = self._journal.get(raw["id"]) or {}
        if "result" in entry:
            log.info("command came again: answered from the journal", extra={"command": raw["id"]})
            return dict(entry["result"])
        if entry.get("acted"):
            return self.interrupted(entry)
        now = self._hub.clock.now()
        ack = hubclock.iso(now)
        try:
            return self._carried_out(parse(raw, now), ack)
        except (Refused, JournalError) as error:
            return self._concluded(raw["id"], {"ack": ack, "outcome": "refused", "reason": str(error)})
        except NotRun as error:
            return self._concluded(raw["id"], {"ack": ack, "outcome": "failed", "reason": str(error)})

    def interrupted(self, entry: Entry) -> Result | None:
        """For a command this agent was at work on when it ended: what is known, and what is seen from now on.

        None when stopping: the next start tells.
        """
        kind = self._kinds.get(str(entry.get("cmd")))
        seen = kind.seen_now(entry, self._stop, self._hub.clock.now()) if kind else {}
        if self._stop.is_set():
            return None
        ended = {"outcome": "interrupted", "endedAt": hubclock.iso(self._hub.clock.now())}
        return self._concluded(str(entry["id"]), {**itself.told(entry), **ended, **seen})

    def _carried_out(self, command: Command, ack: str) -> Result | None:
        kind, looked = self._kinds[command.verb], hubclock.since_boot()
        action = kind.check(command)
        facts = {"cmd": command.verb, "target": command.target, "args": command.args}
        self._journal.write(command.id, "received", ack=ack, **facts)
        if not self._acknowledged(command, ack):
            return None
        if hubclock.since_boot() - looked > _STALE_SEC:
            action = kind.check(command)
        return self._run(command, action, ack)

    def _acknowledged(self, command: Command, ack: str) -> bool:
        """Whether the hub says: run it. Only a clear yes in time counts; the same ack may be sent again."""
        backoff = Backoff(first=0.5, cap=5.0)
        while command.left() > 0:
            try:
                answer = self._hub.ack(command.id, {"startedAt": ack})
            except Unreachable as error:
                log.warning("cannot acknowledge", extra={"command": command.id, "error": str(error)})
            else:
                if answer.status == 200 and answer.body.get("state") == "running":
                    return True
                if answer.status in (200, 404, 409):
                    log.info("not run: the hub took it back", extra={"command": command.id, "answer": answer.why()})
                    self._journal.write(command.id, "reported", ran=False, state=answer.body.get("state"))
                    return False
                log.warning("cannot acknowledge", extra={"command": command.id, "answer": answer.why()})
            if self._stop.wait(backoff.next()):
                return False
        raise NotRun("not run: its time was over before the hub could be told that it begins")

    def _run(self, command: Command, action: Action, ack: str) -> Result | None:
        _in_time(command)
        started = hubclock.iso(self._hub.clock.now())
        result: Result = {"ack": ack, "before": action.before, "startedAt": started}
        self._journal.write(command.id, "acting", acted=True, itself=itself.is_it(action.before), **result)
        _in_time(command)  # a slow disk may have taken the rest of it
        log.info("acting", extra={"command": command.id, "cmd": command.verb, "target": command.target})
        acted = action.act(command.left())
        result.update(command=acted.command, exitCode=acted.exit_code, output=acted.output)
        self._noted(command.id, "acting", result)
        result.update(action.settled(self._stop, self._hub.clock.now()))
        if self._stop.is_set():
            return None  # the next start tells: interrupted, with what is seen then
        result.update(outcome="done" if acted.exit_code == 0 else "failed", reason=_reason(acted))
        result["endedAt"] = hubclock.iso(self._hub.clock.now())
        log.info("acted", extra={"command": command.id, "outcome": result["outcome"], "exitCode": acted.exit_code})
        return self._concluded(command.id, result)

    def _concluded(self, command: str, result: Result) -> Result:
        self._noted(command, "done", {"result": result})
        return result

    def _noted(self, command: str, step: str, facts: dict[str, Any]) -> None:
        """A step after the fact: where it cannot be written the result still goes out."""
        try:
            self._journal.write(command, step, **facts)
        except JournalError as error:
            log.error(str(error), extra={"command": command, "step": step})


def _in_time(command: Command) -> None:
    if command.left() <= 0:
        raise NotRun("not run: its time was over")


def _reason(acted: Acted) -> str:
    if acted.exit_code is None:
        return "not ended when its time was over, or nobody answered; the service manager may still be at it"
    return "" if acted.exit_code == 0 else f"exit code {acted.exit_code}"
