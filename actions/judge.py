"""Judges a command by what was observed, never by its exit code alone. Pure: no database, no clock.

Success needs the wanted state, held for SETTLE_SEC. What proves nothing is `unknown`, and later reports settle it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from actions import states
from actions.wire import Observation, Result

SETTLE_SEC = 5.0
TOLERANCE_SEC = 0.5  # an agent looks every half second, and its first look comes after the action
FOR_GOOD = (
    "reload_unseen",
    "booted_unseen",
    "signal_unseen",
)  # verdicts of an unknown outcome that no report can settle
NOT_RUN = "not run"  # how a reason begins when the agent knows that nothing was done
ACTIVE, INACTIVE, FAILED = "active", "inactive", "failed"  # a service's settled states, in systemd's words


class Judgement(NamedTuple):
    """A command's ending, the key of its sentence in verdicts.py, and the facts the sentence names."""

    state: str
    verdict: str
    facts: dict[str, Any]


class Case(NamedTuple):
    """One command's evidence."""

    result: Result
    before: Observation
    after: Observation

    def end(self, state: str, verdict: str) -> Judgement:
        """The judgement, with the facts of the evidence that are known."""
        facts = {
            "exitCode": self.result.exit_code,
            "mainPid": self.after.main_pid or None,
            "heldSec": self.after.settled_sec,
            "before": self.before.active_state,
            "now": self.after.active_state,
            "result": self.after.result,
            "reason": self.result.reason or None,
            "until": self.result.until.isoformat() if self.result.until else None,
        }
        return Judgement(state, verdict, {name: value for name, value in facts.items() if value is not None})

    def succeeded(self, verdict: str) -> Judgement:
        """Succeeded if the state was held; open if it was not watched for long enough."""
        if (self.after.settled_sec or 0) < SETTLE_SEC - TOLERANCE_SEC:
            return self.end(states.UNKNOWN, "not_held")
        return self.end(states.SUCCEEDED, verdict)

    def failed(self, verdict: str) -> Judgement:
        return self.end(states.FAILED, verdict)

    def was_running(self) -> bool:
        return self.before.active_state == ACTIVE or bool(self.before.main_pid)

    def is_same_process(self) -> bool | None:
        """Whether the main process is the one from before; None if the evidence cannot tell."""
        return same_process(self.before, self.after)

    def ran_to_end(self) -> bool:
        """A oneshot without RemainAfterExit ends inactive when its work is done."""
        ended_well = self.result.exit_code == 0 or self._came_to_an_end()
        success = self.after.result in (None, "success")
        return self.after.type == "oneshot" and self.after.active_state == INACTIVE and success and ended_well

    def _came_to_an_end(self) -> bool:
        """Whether its manager saw it change in this boot, though nobody saw the tool's exit code."""
        same_boot = bool(self.before.boot) and self.before.boot == self.after.boot
        unseen, since = self.result.exit_code is None, self.after.since
        return same_boot and unseen and since is not None and since != self.before.since


def judge(cmd: str, seen: Observation | None, result: Result) -> Judgement:
    """The command's ending by the result's evidence; where that has no `before`, `seen` is how the operator saw it."""
    case = Case(result, result.before or seen or Observation(), result.after or Observation())
    if result.outcome == "refused":
        return case.failed("refused_late")
    if cmd in states.LEASE_VERBS:  # the agent's own book is what changes, and its proof
        return VERBS[cmd](case)
    if not case.after.active_state:
        return _without_evidence(case)
    if case.after.active_state not in (ACTIVE, INACTIVE, FAILED):
        # Without an exit code the service manager may still be at it.
        return case.end(states.UNKNOWN, "still_at_it") if result.exit_code is None else case.failed("unfinished")
    return VERBS[cmd](case)


def same_process(before: Observation, after: Observation) -> bool | None:
    """Whether both name one main process: by pid and start ticks; without one, by the time of the last change."""
    if before.active_state in (INACTIVE, FAILED) or rebooted(before, after):
        return False
    if before.main_pid and after.main_pid:
        ticks = (before.start_ticks, after.start_ticks)
        return before.main_pid == after.main_pid and (None in ticks or ticks[0] == ticks[1])
    return None if None in (before.since, after.since) else before.since == after.since


def rebooted(before: Observation, after: Observation) -> bool:
    """Whether the machine was booted in between: then no process is the same, whatever its number."""
    return bool(before.boot and after.boot) and before.boot != after.boot


def _without_evidence(case: Case) -> Judgement:
    if case.result.outcome == "failed" or case.result.reason.startswith(NOT_RUN):
        return case.failed("said_failed")
    return case.end(states.UNKNOWN, "interrupted" if case.result.outcome == "interrupted" else "not_observed")


def _start(case: Case) -> Judgement:
    if case.after.active_state == ACTIVE:
        already = case.was_running() and case.is_same_process() is not False
        return case.succeeded("already_active" if already else "started")
    if case.ran_to_end():
        return case.end(states.SUCCEEDED, "ran_to_end")
    if rebooted(case.before, case.after):
        oneshot = case.after.type == "oneshot"
        return case.end(states.UNKNOWN, "booted_unseen") if oneshot else case.failed("booted_not_running")
    return case.failed("not_started")


def _restart(case: Case) -> Judgement:
    if case.after.active_state == ACTIVE:
        same = case.is_same_process()
        if same is None:
            return case.end(states.UNKNOWN, "identity_unknown")
        return case.failed("not_restarted") if same else case.succeeded("restarted")
    if case.ran_to_end():
        return case.end(states.SUCCEEDED, "ran_to_end")
    return case.failed("stopped_not_started" if case.was_running() else "did_not_come_back")


def _stop(case: Case) -> Judgement:
    if case.after.active_state == ACTIVE:
        return case.failed("came_back" if case.is_same_process() is False else "not_stopped")
    if case.before.active_state in (INACTIVE, FAILED):
        return case.succeeded("already_stopped")
    if case.result.until:
        return case.succeeded("stopped_for_a_time")
    # It does not run any more, which is what was asked; that it ended badly (a signal, a timeout) is said.
    return case.succeeded("stopped" if case.after.active_state == INACTIVE else "stopped_with_failure")


def _reload(case: Case) -> Judgement:
    if case.after.active_state != ACTIVE:
        return case.failed("reload_ended_it" if case.was_running() else "reload_not_running")
    if case.is_same_process() is False:
        return case.failed("reload_restarted")
    if case.result.exit_code is None:
        return case.end(states.UNKNOWN, "reload_unseen")  # a reload leaves nothing to observe but its exit code
    return case.succeeded("reloaded") if case.result.exit_code == 0 else case.failed("reload_failed")


def _extend(case: Case) -> Judgement:
    if case.result.outcome == "interrupted":
        return case.end(states.UNKNOWN, "lease_unknown")
    done = case.result.outcome == "done" and case.result.until
    return case.end(states.SUCCEEDED, "extended") if done else case.failed("said_failed")


def _keep(case: Case) -> Judgement:
    if case.result.outcome == "interrupted":
        return case.end(states.UNKNOWN, "lease_unknown")
    if case.after.active_state == ACTIVE:
        return case.failed("kept_active")
    return case.end(states.SUCCEEDED, "kept") if case.result.outcome == "done" else case.failed("said_failed")


VERBS: dict[str, Callable[[Case], Judgement]] = {
    states.START: _start,
    states.STOP: _stop,
    states.RESTART: _restart,
    states.RELOAD: _reload,
    states.EXTEND: _extend,
    states.KEEP: _keep,
}
