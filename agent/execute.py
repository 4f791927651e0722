"""One command from its arrival to its evidence: refused, or acknowledged, run once and watched."""

from __future__ import annotations

import re
import threading
from typing import Any, NamedTuple

from agent import hubclock
from agent.allow import UNIT_NAME, VERBS, Allow
from agent.backoff import Backoff
from agent.evidence import Settling, differs_from, last_lines
from agent.hub import Hub, Unreachable
from agent.journal import Entry, Journal, JournalError
from agent.logs import log
from agent.managers.base import Acted, Manager, ManagerError, State
from agent.servicetable import ServiceTable

Result = dict[str, Any]
_COMMAND_ID = re.compile(r"^[A-Za-z0-9-]{1,64}$")


class Refused(Exception):
    """This command may not run; the text is for the operator."""


class Command(NamedTuple):
    """A command as the hub sent it, checked; `execute_by` in epoch seconds of the hub's clock."""

    id: str
    verb: str
    target: str
    execute_by: float
    expect: dict[str, Any] | None
    args: dict[str, Any]


def command_id(raw: object) -> str | None:
    """The id of what the hub sent, or None where it has no usable one."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _COMMAND_ID.fullmatch(found) else None


class Executor:
    """Runs commands, each in its caller's thread; `settle_sec` is how long a service must keep its state afterwards."""

    def __init__(
        self,
        hub: Hub,
        table: ServiceTable,
        journal: Journal,
        allow: Allow,
        settle_sec: float,
        stop: threading.Event,
    ) -> None:
        self._hub = hub
        self._table = table
        self._journal = journal
        self._allow = allow
        self._settle_sec = settle_sec
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
            manager, seen = self._check(command)
            self._journal.write(command.id, "received", cmd=command.verb, target=command.target)
            return self._run(command, manager, seen) if self._acknowledged(command) else None
        except (Refused, JournalError) as error:
            return self._concluded(raw["id"], {"outcome": "refused", "reason": str(error)})
        except ManagerError as error:
            return self._concluded(raw["id"], {"outcome": "refused", "reason": f"not run: {error}"})
        except _TooLate as error:
            return self._concluded(raw["id"], {"outcome": "failed", "reason": str(error)})

    def interrupted(self, entry: Entry) -> Result:
        """For a command this agent was at work on when it ended: what is known, and what is seen now."""
        told: Result = {k: entry[k] for k in ("before", "startedAt", "command", "exitCode", "output") if k in entry}
        manager = self._table.manager_of(str(entry.get("target", "")))
        result: Result = {
            **told,
            "outcome": "interrupted",
            "reason": "the agent ended while it was at work on this; `after` is what it sees now",
            "endedAt": hubclock.iso(self._hub.clock.now()),
            **(_seen_now(manager, entry["target"]) if manager else {}),
        }
        return self._concluded(str(entry["id"]), result)

    def _check(self, command: Command) -> tuple[Manager, State]:
        if not self._allow.permits(command.verb, command.target):
            raise Refused(f"this server's owner does not allow the hub to {command.verb} {command.target}")
        manager = self._table.manager_of(command.target)
        if manager is None:
            raise Refused(f"there is no service {command.target} on this server")
        if command.verb not in self._table.possible(command.target):
            raise Refused(f"{command.target} is not a service that can {command.verb}")
        seen = manager.show(command.target)
        changed = differs_from(command.expect, seen)
        if changed:
            raise Refused(changed)
        return manager, seen

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

    def _run(self, command: Command, manager: Manager, before: State) -> Result | None:
        started = self._hub.clock.now()
        if started >= command.execute_by:
            raise _TooLate("not run: its time was over")
        result: Result = {"before": before, "startedAt": hubclock.iso(started)}
        self._journal.write(command.id, "acting", acted=True, **result)
        log.info("acting", extra={"command": command.id, "cmd": command.verb, "target": command.target})
        try:
            acted = manager.act(command.verb, command.target, command.execute_by - started)
        except ManagerError as error:
            acted = Acted(f"{command.verb} {command.target}", None, str(error))
        result.update(command=acted.command, exitCode=acted.exit_code, output=acted.output)
        self._noted(command.id, "acting", result)
        result.update(self._settled(manager, command.target))
        if self._stop.is_set():
            return None  # the next start tells: interrupted, with what is seen then
        result.update(outcome="done" if acted.exit_code == 0 else "failed", reason=_reason(acted))
        result["endedAt"] = hubclock.iso(self._hub.clock.now())
        log.info("acted", extra={"command": command.id, "outcome": result["outcome"], "exitCode": acted.exit_code})
        return self._concluded(command.id, result)

    def _settled(self, manager: Manager, unit: str) -> Result:
        settling = Settling(manager, unit, self._settle_sec, self._hub.clock.now())
        try:
            after = settling.watch(self._stop)
        except ManagerError as error:
            log.warning("the service cannot be seen after the action", extra={"error": str(error)})
            return {"changes": settling.changes, "log": last_lines(manager, unit)}
        self._table.stale()
        return {"after": after, "changes": settling.changes, "log": last_lines(manager, unit)}

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


def parse(raw: dict[str, Any]) -> Command:
    """A command as the hub sent it; raises Refused naming what is wrong."""
    verb, target, expect, args = raw.get("cmd"), raw.get("target"), raw.get("expect"), raw.get("args") or {}
    if verb not in VERBS:
        raise Refused(f"this agent does not know the command {str(verb)[:40]!r}")
    if not isinstance(target, str) or not UNIT_NAME.fullmatch(target):
        raise Refused(f"{str(target)[:80]!r} is not the name of a service")
    if expect is not None and not isinstance(expect, dict):
        raise Refused("expect is not an object")
    if not isinstance(args, dict):
        raise Refused("args is not an object")
    try:
        execute_by = hubclock.parse(raw.get("executeBy"))
    except ValueError as error:
        raise Refused(f"executeBy: {error}") from error
    return Command(raw["id"], verb, target, execute_by, expect, args)


def _seen_now(manager: Manager, unit: str) -> Result:
    try:
        return {"after": {**manager.show(unit), "settledSec": 0.0}, "log": last_lines(manager, unit)}
    except ManagerError as error:
        return {"log": [str(error)[:500]]}


def _reason(acted: Acted) -> str:
    if acted.exit_code is None:
        return "not ended when its time was over, or nobody answered; the service manager may still be at it"
    return "" if acted.exit_code == 0 else f"exit code {acted.exit_code}"
