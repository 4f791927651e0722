"""One command from its arrival to its evidence: refused, or acknowledged, run once and watched."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from agent import hubclock
from agent.backoff import Backoff
from agent.command import Action, Command, Kind, Refused, Result, parse
from agent.hub import Hub, Unreachable
from agent.journal import Entry, Journal, JournalError
from agent.logs import log
from agent.managers.base import Acted


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
        try:
            command = parse(raw)
            action = self._kinds[command.verb].check(command)
            self._journal.write(command.id, "received", cmd=command.verb, target=command.target, args=command.args)
            return self._run(command, action) if self._acknowledged(command) else None
        except (Refused, JournalError) as error:
            return self._concluded(raw["id"], {"outcome": "refused", "reason": str(error)})
        except _TooLate as error:
            return self._concluded(raw["id"], {"outcome": "failed", "reason": str(error)})

    def interrupted(self, entry: Entry) -> Result:
        """For a command this agent was at work on when it ended: what is known, and what is seen now."""
        told: Result = {k: entry[k] for k in ("before", "startedAt", "command", "exitCode", "output") if k in entry}
        kind = self._kinds.get(str(entry.get("cmd")))
        result: Result = {
            **told,
            "outcome": "interrupted",
            "reason": "the agent ended while it was at work on this; `after` is what it sees now",
            "endedAt": hubclock.iso(self._hub.clock.now()),
            **(kind.seen_now(entry) if kind else {}),
        }
        return self._concluded(str(entry["id"]), result)

    def _acknowledged(self, command: Command) -> bool:
        """Whether the hub says: run it. Only a clear yes in time counts; the same ack may be sent again."""
        backoff = Backoff(first=0.5, cap=5.0)
        body = {"startedAt": hubclock.iso(self._hub.clock.now())}
        while self._hub.clock.now() < command.execute_by:
            try:
                answer = self._hub.ack(command.id, body)
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
        raise _TooLate("not run: its time was over before the hub could be told that it begins")

    def _run(self, command: Command, action: Action) -> Result | None:
        started = self._hub.clock.now()
        if started >= command.execute_by:
            raise _TooLate("not run: its time was over")
        result: Result = {"before": action.before, "startedAt": hubclock.iso(started)}
        self._journal.write(command.id, "acting", acted=True, **result)
        log.info("acting", extra={"command": command.id, "cmd": command.verb, "target": command.target})
        acted = action.act(command.execute_by - started)
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


class _TooLate(Exception):
    pass


def _reason(acted: Acted) -> str:
    if acted.exit_code is None:
        return "not ended when its time was over, or nobody answered; the service manager may still be at it"
    return "" if acted.exit_code == 0 else f"exit code {acted.exit_code}"
