"""Judges a command on a process by what was observed of it. Pure: no database, no clock."""

from __future__ import annotations

from typing import Any, NamedTuple

from actions import states
from actions.judge import NOT_RUN, SETTLE_SEC, TOLERANCE_SEC, Judgement
from actions.wire import Observation, Result

GONE, ZOMBIE, DISK_WAIT = "gone", "zombie", "disk wait"
STOPPED = ("stopped", "tracing stop")
ENDING = ("TERM", "INT", "KILL")  # meant to end it
EITHER = ("HUP",)  # meant to end it or to have it read its settings again: only the process knows
NOT_IN_REPORTS = ("HUP", "USR1", "USR2")  # leave nothing that a report could show


class Case(NamedTuple):
    """One command's evidence; sent: the kernel took the signal or the nice value."""

    args: dict[str, Any]
    result: Result
    after: Observation

    @property
    def sent(self) -> bool:
        return self.result.exit_code == 0

    def end(self, state: str, verdict: str) -> Judgement:
        """The judgement, with the facts its sentence names."""
        facts = {
            "signal": self.args.get("signal"),
            "wanted": self.args.get("nice"),
            "nice": self.after.nice,
            "heldSec": self.after.settled_sec,
            "reason": self.result.output or self.result.reason or None,
        }
        return Judgement(state, verdict, {name: value for name, value in facts.items() if value is not None})

    @property
    def held(self) -> bool:
        """Whether this state was seen for long enough."""
        return (self.after.settled_sec or 0) >= SETTLE_SEC - TOLERANCE_SEC

    def succeeded(self, verdict: str) -> Judgement:
        """Succeeded if the state was held; open if it was not watched for long enough."""
        return self.end(states.SUCCEEDED, verdict) if self.held else self.end(states.UNKNOWN, "not_held")

    def failed(self, verdict: str) -> Judgement:
        """Failed; open where an agent that was interrupted only had a glance at it."""
        if self.result.outcome == "interrupted" and not self.held:
            return self.end(states.UNKNOWN, "interrupted")
        return self.end(states.FAILED, verdict)


def judge(cmd: str, args: dict[str, Any], result: Result) -> Judgement:
    """The command's ending by the result's evidence."""
    case = Case(args, result, result.after or Observation())
    if result.outcome == "refused":
        return case.end(states.FAILED, "refused_late")
    if not case.after.status:
        if result.outcome == "failed" or result.reason.startswith(NOT_RUN):
            return case.end(states.FAILED, "said_failed")
        return case.end(states.UNKNOWN, "interrupted" if result.outcome == "interrupted" else "not_observed")
    if cmd == states.SIGNAL and args.get("signal") in (*ENDING, *EITHER) and case.after.status in (GONE, ZOMBIE):
        return _ended(case)
    if result.exit_code:
        return case.end(states.FAILED, "said_failed")
    if case.after.status in (GONE, ZOMBIE):
        return case.end(states.FAILED, "not_survived" if cmd == states.SIGNAL and case.sent else "process_gone")
    return _renice(case) if cmd == states.RENICE else _signal(case, str(args.get("signal")))


def _ended(case: Case) -> Judgement:
    if case.after.status == ZOMBIE:
        return case.end(states.SUCCEEDED, "ended_unreaped")
    return case.end(states.SUCCEEDED, "ended" if case.sent else "gone")


def _signal(case: Case, name: str) -> Judgement:
    """It is still there."""
    stopped = case.after.status in STOPPED
    if name in ENDING:
        return _still_there(case, stopped)
    if name == "STOP":
        return case.succeeded("process_stopped") if stopped else case.failed("process_runs")
    if name == "CONT":
        return case.failed("still_stopped") if stopped else case.succeeded("continued")
    if not case.sent:
        return case.end(states.UNKNOWN, "signal_unseen")
    return case.end(states.SUCCEEDED, "delivered_waits" if stopped else "delivered")


def _still_there(case: Case, stopped: bool) -> Judgement:
    if not case.sent:
        return case.failed("still_there_unsure")
    if stopped:
        return case.failed("still_there_stopped")
    if case.after.status == DISK_WAIT:
        return case.failed("still_there_waits")
    return case.failed("still_there")


def _renice(case: Case) -> Judgement:
    if case.after.nice is None:
        return case.end(states.UNKNOWN, "not_observed")
    if case.after.nice == case.args.get("nice"):
        return case.end(states.SUCCEEDED, "reniced")
    return case.end(states.FAILED, "not_reniced")
