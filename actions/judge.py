"""Judges a command by what was observed, never by its exit code alone. Pure: no database, no clock.

Success needs the wanted state, held for SETTLE_SEC. What proves nothing is `unknown`, and later reports settle it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from actions import states
from actions.wire import Observation, Result

SETTLE_SEC = 5.0
TOLERANCE_SEC = 0.5  # an agent looks every half second, and its first look comes after the action
# Verdicts of an unknown outcome that no report can settle.
FOR_GOOD = ("booted_unseen", "signal_unseen", "unsettled")
KEEPS_DYING = 2  # so many ends by itself while it is watched, and never a steady state
NEVER = -1
TOO_QUICKLY, LAST_LINES = "Start request repeated too quickly", 4  # systemd's words, among the log's last lines
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
            "lastExit": self.after.last_exit or None,
            "died": self.died or None,
            "livedSec": self.lived_sec,
            "watchedSec": self.watched_sec,
            "triggeredBy": self.after.triggered_by or None,
        }
        return Judgement(state, verdict, {name: value for name, value in facts.items() if value is not None})

    def succeeded(self, verdict: str) -> Judgement:
        """Succeeded if the state was held; open if it was not watched for long enough."""
        if not self.held:
            return self.end(states.UNKNOWN, "not_held")
        return self.end(states.SUCCEEDED, verdict)

    def failed(self, verdict: str) -> Judgement:
        return self.end(states.FAILED, verdict)

    def was_running(self) -> bool:
        return self.before.active_state == ACTIVE or bool(self.before.main_pid)

    def is_same_process(self) -> bool | None:
        """Whether the main process is the one from before; None if the evidence cannot tell."""
        return same_process(self.before, self.after)

    @property
    def held(self) -> bool:
        """Whether the last state was seen for long enough to count."""
        return (self.after.settled_sec or 0) >= SETTLE_SEC - TOLERANCE_SEC

    @property
    def died(self) -> int:
        """How often the service ended and its manager started it again since the action, as far as that is counted."""
        now, then = self.after.n_restarts or 0, self.before.n_restarts or 0
        if now == then and (self.is_same_process() is not False or self.result.exit_code not in (0, None)):
            return 0  # the same one, or one that was not even started
        # The count begins anew with an action on a service that was down or is told to stop first.
        return now - then if self.before.active_state == "activating" and now >= then else now

    @property
    def lived_sec(self) -> float | None:
        """Seconds it was active before it ended again, while the agent watched; None where it was not seen so."""
        for one, following in pairwise(self.result.changes):
            if one.active_state == ACTIVE and following.active_state not in (ACTIVE, "reloading"):
                return _seconds(one.t, following.t)
        return None

    @property
    def watched_sec(self) -> float | None:
        """Seconds from the action to the end of watching."""
        start, end = self.result.started_at, self.result.ended_at
        return (end - start).total_seconds() if start and end else None

    def ran_to_end(self) -> bool | None:
        """A oneshot without RemainAfterExit ends inactive when its work is done; None if nothing tells that it ran."""
        ended_well = self.after.result in (None, "success")
        if self.after.type != "oneshot" or self.after.active_state != INACTIVE or not ended_well:
            return False
        if rebooted(self.before, self.after) and self.result.exit_code != 0:
            return None  # going down, systemd cancels the jobs under way: their failure is no news of the work
        if self.result.exit_code is not None:
            return self.result.exit_code == 0
        if self.after.since is None:
            return None  # systemd forgets a oneshot that nothing refers to as soon as it is done
        if self.before.since is None:
            return True if self.before.boot and self.before.boot == self.after.boot else None
        return not same_moment(self.before.since, self.after.since)


def judge(cmd: str, seen: Observation | None, result: Result) -> Judgement:
    """The command's ending by the result's evidence; where that has no `before`, `seen` is how the operator saw it."""
    case = Case(result, result.before or seen or Observation(), result.after or Observation())
    if result.outcome == "refused":
        return case.failed("refused_late")
    if cmd in states.LEASE_VERBS:  # the agent's own book is what changes, and its proof
        return VERBS[cmd](case)
    if not case.after.active_state:
        return _without_evidence(case)
    if cmd in (states.START, states.RESTART) and case.died >= KEEPS_DYING and not _steady(case):
        return case.failed("keeps_dying" if case.watched_sec else "keeps_dying_seen")
    if case.after.active_state not in (ACTIVE, INACTIVE, FAILED):
        return _on_its_way(cmd, case)
    return VERBS[cmd](case)


def same_process(before: Observation, after: Observation) -> bool | None:
    """Whether both name one main process: by pid and start ticks; without one, by the time of the last change."""
    if before.active_state in (INACTIVE, FAILED) or rebooted(before, after):
        return False
    if before.main_pid and after.main_pid:
        ticks = (before.start_ticks, after.start_ticks)
        return before.main_pid == after.main_pid and (None in ticks or ticks[0] == ticks[1])
    return same_moment(before.since, after.since)


def same_moment(one: str | None, other: str | None) -> bool | None:
    """Whether two times in ISO 8601, each written in its own way, are one; None if that cannot be told."""
    moments = _moment(one), _moment(other)
    return None if None in moments else moments[0] == moments[1]


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _seconds(start: str, end: str) -> float | None:
    one, other = _moment(start), _moment(end)
    return None if one is None or other is None else (other - one).total_seconds()


def _on_its_way(cmd: str, case: Case) -> Judgement:
    """It is in no settled state. Without an exit code the service manager may still be at it."""
    if case.after.sub_state == "auto-restart" and cmd in (states.START, states.RESTART):
        return case.failed("died_waits")
    if case.result.exit_code is not None:
        return case.failed("unfinished")
    waits = (case.after.type or "").startswith("notify") and case.after.active_state == "activating"
    return case.end(states.UNKNOWN, "never_ready" if waits and case.after.main_pid else "still_at_it")


def _steady(case: Case) -> bool:
    """Whether it came to rest: a wait for the next start is none, however long it was seen."""
    return case.after.active_state in (ACTIVE, INACTIVE, FAILED) and (case.held or case.after.active_state == FAILED)


def _gave_up(case: Case) -> bool:
    """Whether its manager starts it no more for now. Its result may still be that of its last end: its log says so."""
    hit = case.after.result == "start-limit-hit" or any(TOO_QUICKLY in line for line in case.result.log[-LAST_LINES:])
    return case.after.active_state == FAILED and hit


def _not_up(case: Case, otherwise: str) -> Judgement:
    """It does not run, and was told to: why, as far as the evidence tells."""
    if case.after.load_state in ("not-found", "masked"):
        return case.failed("masked" if case.after.load_state == "masked" else "not_found")
    if _gave_up(case):
        return case.failed("start_limit")
    if case.after.result == "timeout" and (case.after.type or "").startswith("notify"):
        return case.failed("not_ready")
    if case.lived_sec is not None:
        return case.failed("died" if case.after.active_state == FAILED else "ended_soon")
    return case.failed(otherwise)


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
    if ended := _ran_to_end(case):
        return ended
    return case.failed("booted_not_running") if rebooted(case.before, case.after) else _not_up(case, "not_started")


def _restart(case: Case) -> Judgement:
    if case.after.active_state == ACTIVE:
        same = case.is_same_process()
        if same is None:
            return case.end(states.UNKNOWN, "identity_unknown")
        return case.failed("not_restarted") if same else case.succeeded("restarted")
    return _ran_to_end(case) or _not_up(case, "stopped_not_started" if case.was_running() else "did_not_come_back")


def _ran_to_end(case: Case) -> Judgement | None:
    ran = case.ran_to_end()
    if ran is None:
        booted = rebooted(case.before, case.after)
        return case.end(states.UNKNOWN, "booted_unseen" if booted else "ran_unseen")
    return case.end(states.SUCCEEDED, "ran_to_end") if ran else None


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
    code = case.result.exit_code if case.result.exit_code is not None else _reload_left(case)
    if code is None:
        return case.end(states.UNKNOWN, "reload_unseen")
    if code == NEVER:
        return case.failed("not_reloaded")
    return case.succeeded("reloaded") if code == 0 else case.failed("reload_failed")


def _reload_left(case: Case) -> int | None:
    """The exit code of the reload that the service's manager remembers; NEVER if it is the one from before."""
    same = same_moment(case.before.reloaded_at, case.after.reloaded_at)
    return NEVER if same else case.after.reload_status if case.after.reloaded_at else None


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
