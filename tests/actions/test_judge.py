"""Evidence to verdict, for every verb; and the sentence of every verdict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.utils import translation

from actions import verdicts, wire
from actions.judge import judge
from actions.models import Command
from tests.actions.making import DEAD, FAILED, RUNNING, RUNNING_ANEW

SAME = {**RUNNING, "settledSec": 5}
NOT_HELD = {**RUNNING_ANEW, "settledSec": 1.5}
NEVER_WATCHED = {name: value for name, value in RUNNING_ANEW.items() if name != "settledSec"}
WAS_DEAD = {"activeState": "inactive", "subState": "dead"}
WAS_FAILED = {"activeState": "failed", "subState": "failed", "result": "oom-kill"}
STARTING = {"activeState": "activating", "subState": "start", "settledSec": 0.5}
STOPPING = {"activeState": "deactivating", "subState": "stop-sigterm", "settledSec": 5}
REUSED_PID = {**RUNNING, "startTicks": 9001, "settledSec": 5}
DONE = {**DEAD, "type": "oneshot", "result": "success"}
EXITED = {"activeState": "active", "subState": "exited", "since": "2026-11-23T14:00:00Z", "settledSec": 5}
EXITED_BEFORE = {"activeState": "active", "subState": "exited", "since": "2026-11-01T00:00:00Z"}
BEFORE_BOOT, SINCE_BOOT = {"boot": "one/1"}, {"boot": "two/1"}
RAN = {**DONE, "boot": "one/1", "since": "2026-11-23T14:00:00Z"}
UNSEEN = {"outcome": "interrupted", "exitCode": None}
LOOPING = {"activeState": "activating", "subState": "auto-restart", "nRestarts": 7, "settledSec": 0.2, "lastExit": "7"}
LOOPED = {**RUNNING_ANEW, "nRestarts": 7, "settledSec": 0.3}
LIMIT = {**FAILED, "result": "start-limit-hit", "nRestarts": 5}
NOT_READY = {"activeState": "activating", "subState": "start", "type": "notify", "mainPid": 9, "settledSec": 5}
ONESHOT = {"activeState": "inactive", "type": "oneshot", "result": "success", "settledSec": 5}
LONG_AGO, NOW = "2026-11-01T00:00:00Z", "2026-11-23T14:00:00+00:00"
RAN_LONG_AGO = {**ONESHOT, "since": LONG_AGO}
LIVED = [
    {"t": "2026-11-23T14:00:01Z", "activeState": "active", "mainPid": 9},
    {"t": "2026-11-23T14:00:03Z", "activeState": "failed"},
]
QUICKLY = ["srv systemd[1]: a.service: Start request repeated too quickly.", "srv systemd[1]: a.service: Failed."]
NO_TICKS = {"activeState": "active", "mainPid": 123}

CASES: list[tuple[str, Any, Any, dict[str, Any], str, str]] = [
    # verb, before, after, other fields -> state, verdict
    ("start", WAS_DEAD, RUNNING_ANEW, {}, "succeeded", "started"),
    ("start", WAS_FAILED, RUNNING_ANEW, {}, "succeeded", "started"),
    ("start", None, RUNNING_ANEW, {}, "succeeded", "started"),
    ("start", WAS_DEAD, RUNNING_ANEW, {"exitCode": 1, "outcome": "failed"}, "succeeded", "started"),
    ("start", RUNNING, SAME, {}, "succeeded", "already_active"),
    ("start", WAS_DEAD, NOT_HELD, {}, "unknown", "not_held"),
    ("start", WAS_DEAD, NEVER_WATCHED, {}, "unknown", "not_held"),
    ("start", WAS_DEAD, STARTING, {}, "failed", "unfinished"),
    ("start", WAS_DEAD, STARTING, {"exitCode": None, "outcome": "failed"}, "unknown", "still_at_it"),
    ("start", WAS_DEAD, FAILED, {}, "failed", "not_started"),
    ("start", WAS_DEAD, DEAD, {}, "failed", "not_started"),
    ("start", WAS_DEAD, DONE, {}, "succeeded", "ran_to_end"),
    ("start", WAS_DEAD, {**DONE, "result": "exit-code"}, {}, "failed", "not_started"),
    ("start", WAS_DEAD, DONE, {"exitCode": 1}, "failed", "not_started"),
    ("start", WAS_DEAD, RUNNING_ANEW, UNSEEN, "succeeded", "started"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, RAN, UNSEEN, "succeeded", "ran_to_end"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, {**RAN, "result": "exit-code"}, UNSEEN, "failed", "not_started"),
    ("start", {**DONE, "boot": "one/1"}, {**DONE, "boot": "one/1"}, UNSEEN, "unknown", "ran_unseen"),
    ("start", RAN, RAN, UNSEEN, "failed", "not_started"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, {**DONE, **SINCE_BOOT}, {}, "succeeded", "ran_to_end"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, {**DONE, **SINCE_BOOT}, UNSEEN, "unknown", "booted_unseen"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, {**DONE, **SINCE_BOOT}, {"exitCode": 1}, "unknown", "booted_unseen"),
    ("start", {**WAS_DEAD, **BEFORE_BOOT}, {**DEAD, **SINCE_BOOT}, UNSEEN, "failed", "booted_not_running"),
    ("restart", {**RUNNING, **BEFORE_BOOT}, {**SAME, **SINCE_BOOT}, UNSEEN, "succeeded", "restarted"),
    ("restart", {**RUNNING, **BEFORE_BOOT}, {**SAME, **BEFORE_BOOT}, UNSEEN, "failed", "not_restarted"),
    ("start", WAS_DEAD, LOOPING, {}, "failed", "keeps_dying_seen"),
    ("start", WAS_DEAD, LOOPED, {}, "failed", "keeps_dying_seen"),
    ("start", WAS_DEAD, {**LOOPED, "settledSec": 5}, {}, "succeeded", "started"),
    ("start", WAS_DEAD, {**LOOPED, "nRestarts": 1}, {}, "unknown", "not_held"),
    ("start", {**LOOPING, "nRestarts": 6}, LOOPING, {}, "failed", "died_waits"),
    ("start", WAS_DEAD, {**LOOPING, "nRestarts": 0, "settledSec": 5}, {}, "failed", "died_waits"),
    ("start", WAS_DEAD, LIMIT, {}, "failed", "start_limit"),
    ("start", WAS_DEAD, {**LIMIT, "result": "exit-code"}, {"log": QUICKLY}, "failed", "start_limit"),
    ("start", WAS_DEAD, {**LOOPING, "settledSec": 5}, {}, "failed", "keeps_dying_seen"),
    ("start", WAS_DEAD, FAILED, {"changes": LIVED}, "failed", "died"),
    ("start", WAS_DEAD, DEAD, {"changes": LIVED}, "failed", "ended_soon"),
    ("start", WAS_DEAD, NOT_READY, {"exitCode": None, "outcome": "failed"}, "unknown", "never_ready"),
    ("start", WAS_DEAD, {**FAILED, "type": "notify", "result": "timeout"}, {"exitCode": 1}, "failed", "not_ready"),
    ("start", WAS_DEAD, {**DEAD, "loadState": "masked"}, {"exitCode": 1}, "failed", "masked"),
    ("restart", RUNNING, {**DEAD, "loadState": "not-found"}, {"exitCode": 5}, "failed", "not_found"),
    ("start", {**ONESHOT, "since": LONG_AGO}, {**ONESHOT, "since": NOW}, {"exitCode": None}, "succeeded", "ran_to_end"),
    ("start", RAN_LONG_AGO, RAN_LONG_AGO, {"exitCode": None}, "failed", "not_started"),
    ("start", ONESHOT, ONESHOT, {"exitCode": None, "outcome": "interrupted"}, "unknown", "ran_unseen"),
    ("restart", {**RUNNING, "nRestarts": 9}, LOOPED, {}, "failed", "keeps_dying_seen"),
    ("restart", {**RUNNING, "nRestarts": 9}, {**SAME, "nRestarts": 9}, {}, "failed", "not_restarted"),
    ("restart", RUNNING, RUNNING_ANEW, {}, "succeeded", "restarted"),
    ("restart", RUNNING, REUSED_PID, {}, "succeeded", "restarted"),
    ("restart", WAS_FAILED, RUNNING_ANEW, {}, "succeeded", "restarted"),
    ("restart", RUNNING, RUNNING_ANEW, {"exitCode": 1, "outcome": "failed"}, "succeeded", "restarted"),
    ("restart", RUNNING, SAME, {}, "failed", "not_restarted"),
    ("restart", NO_TICKS, {**NO_TICKS, "settledSec": 5}, {}, "failed", "not_restarted"),
    ("restart", RUNNING, NOT_HELD, {}, "unknown", "not_held"),
    ("restart", RUNNING, FAILED, {}, "failed", "stopped_not_started"),
    ("restart", RUNNING, DEAD, {}, "failed", "stopped_not_started"),
    ("restart", WAS_FAILED, FAILED, {"exitCode": 1, "outcome": "failed"}, "failed", "did_not_come_back"),
    ("restart", EXITED_BEFORE, EXITED, {}, "succeeded", "restarted"),
    ("restart", EXITED, EXITED, {}, "failed", "not_restarted"),
    ("restart", None, RUNNING_ANEW, {}, "unknown", "identity_unknown"),
    ("restart", RUNNING, STARTING, {}, "failed", "unfinished"),
    ("restart", WAS_DEAD, DONE, {}, "succeeded", "ran_to_end"),
    ("restart", RUNNING, None, {}, "unknown", "not_observed"),
    ("restart", RUNNING, None, {"outcome": "failed", "exitCode": 4}, "failed", "said_failed"),
    ("restart", RUNNING, None, {"outcome": "interrupted", "exitCode": None}, "unknown", "interrupted"),
    ("restart", None, None, {"outcome": "interrupted", "reason": "not run: …"}, "failed", "said_failed"),
    ("restart", RUNNING, RUNNING_ANEW, {"outcome": "interrupted", "exitCode": None}, "succeeded", "restarted"),
    ("restart", RUNNING, NOT_HELD, {"outcome": "interrupted", "exitCode": None}, "unknown", "not_held"),
    ("restart", RUNNING, SAME, {"outcome": "interrupted", "exitCode": None}, "failed", "not_restarted"),
    ("restart", RUNNING, RUNNING_ANEW, {"outcome": "refused"}, "failed", "refused_late"),
    ("stop", RUNNING, DEAD, {}, "succeeded", "stopped"),
    ("stop", RUNNING, FAILED, {}, "succeeded", "stopped_with_failure"),
    ("stop", WAS_DEAD, DEAD, {}, "succeeded", "already_stopped"),
    ("stop", WAS_FAILED, FAILED, {}, "succeeded", "already_stopped"),
    ("stop", RUNNING, {**DEAD, "settledSec": 1}, {}, "unknown", "not_held"),
    ("stop", RUNNING, SAME, {}, "failed", "not_stopped"),
    ("stop", RUNNING, RUNNING_ANEW, {}, "failed", "came_back"),
    ("stop", RUNNING, STOPPING, {"exitCode": None, "outcome": "failed"}, "unknown", "still_at_it"),
    ("stop", RUNNING, STOPPING, {}, "failed", "unfinished"),
    ("reload", RUNNING, SAME, {}, "succeeded", "reloaded"),
    ("reload", EXITED, EXITED, {}, "succeeded", "reloaded"),
    ("reload", RUNNING, SAME, {"exitCode": 1, "outcome": "failed"}, "failed", "reload_failed"),
    ("reload", RUNNING, RUNNING_ANEW, {}, "failed", "reload_restarted"),
    ("reload", RUNNING, FAILED, {}, "failed", "reload_ended_it"),
    ("reload", WAS_DEAD, DEAD, {"exitCode": 1}, "failed", "reload_not_running"),
    ("reload", RUNNING, SAME, {"outcome": "interrupted", "exitCode": None}, "unknown", "reload_unseen"),
    ("reload", RUNNING, {**SAME, "settledSec": 1}, {}, "unknown", "not_held"),
    ("reload", RUNNING, {**SAME, "reloadedAt": NOW, "reloadStatus": 0}, {"exitCode": None}, "succeeded", "reloaded"),
    ("reload", RUNNING, {**SAME, "reloadedAt": NOW, "reloadStatus": 3}, {"exitCode": None}, "failed", "reload_failed"),
    ("reload", {**RUNNING, "reloadedAt": "2026-11-23T14:00:00Z"}, {**SAME, "reloadedAt": NOW, "reloadStatus": 0},
     {"exitCode": None}, "failed", "not_reloaded"),
]  # fmt: skip


def judged(verb: str, before: Any, after: Any, fields: dict[str, Any], expect: Any = None) -> Any:
    given = {"outcome": "done", "exitCode": 0, "before": before, "after": after, **fields}
    seen = msgspec.convert(expect, wire.Observation) if expect else None
    return judge(verb, seen, msgspec.convert(given, wire.Result))


@pytest.mark.parametrize(("verb", "before", "after", "fields", "state", "verdict"), CASES)
def test_evidence_decides(verb: str, before: Any, after: Any, fields: dict[str, Any], state: str, verdict: str) -> None:
    assert judged(verb, before, after, fields)[:2] == (state, verdict)


def test_what_the_operator_saw_stands_in_for_a_missing_before() -> None:
    expect = {"mainPid": 123, "startTicks": 4711}
    assert judged("restart", None, RUNNING_ANEW, {}, expect).verdict == "restarted"
    assert judged("restart", None, SAME, {}, expect).verdict == "not_restarted"


@pytest.mark.parametrize(("held", "state"), [(4.6, "succeeded"), (4.4, "unknown"), (0, "unknown")])
def test_success_must_have_held(held: float, state: str) -> None:
    assert judged("restart", RUNNING, {**RUNNING_ANEW, "settledSec": held}, {}).state == state


def sentence(verb: str, before: Any, after: Any, **fields: Any) -> str:
    state, verdict, facts = judged(verb, before, after, fields)
    return verdicts.sentence(Command(cmd=verb, state=state, verdict=verdict, facts=facts))


@pytest.mark.parametrize(("verb", "before", "after", "fields", "state", "verdict"), CASES)
def test_every_judgement_has_a_whole_sentence(
    verb: str, before: Any, after: Any, fields: dict[str, Any], state: str, verdict: str
) -> None:
    said = sentence(verb, before, after, **fields)
    assert said[0].isupper()
    assert "%" not in said
    assert "?" not in said


def test_sentences_name_what_proves_them() -> None:
    assert sentence("restart", WAS_FAILED, RUNNING_ANEW) == (
        "Back and steady: active for 5 s. Main PID 456. It was failed before."
    )
    assert sentence("restart", WAS_FAILED, FAILED, exitCode=1, outcome="failed") == (
        "The service did not come back. Exit code 1. Its result: exit-code. It was failed before and is failed now."
    )
    assert sentence("restart", RUNNING, DEAD) == (
        "It was stopped, and did not start again. It was active before and is inactive now."
    )
    assert sentence("restart", RUNNING, RUNNING_ANEW, exitCode=1, outcome="failed").endswith("Exit code 1.")


def test_sentences_name_how_it_died() -> None:
    times = {"startedAt": "2026-11-23T14:00:00Z", "endedAt": "2026-11-23T14:00:10Z"}
    assert sentence("start", WAS_DEAD, LOOPING, **times) == (
        "It keeps dying: restarted 7 times in 10 s. Its main process ended with status 7."
    )
    assert sentence("start", WAS_DEAD, {**FAILED, "lastExit": "SIGSEGV"}, changes=LIVED) == (
        "It started, and died 2 s later. Its result: exit-code. Its main process was ended by SIGSEGV."
    )
    oom = {**FAILED, "result": "oom-kill", "lastExit": "oom-kill"}
    assert sentence("start", WAS_DEAD, oom, changes=LIVED).endswith("It was killed because the memory was used up.")
    assert sentence("start", WAS_DEAD, {**LOOPED, "nRestarts": 1, "settledSec": 5}) == (
        "Up and steady: active for 5 s. Main PID 456. It died 1 time before that."
    )


@pytest.mark.parametrize(
    ("units", "says"),
    [
        (["a.timer", "a.socket"], "Its socket (a.socket) starts it again on the next connection."),
        (["a.timer"], "a.timer starts it again when it is due."),
    ],
)
def test_a_stopped_service_says_who_starts_it_again(units: list[str], says: str) -> None:
    assert sentence("stop", RUNNING, {**DEAD, "triggeredBy": units}).endswith(says)


def test_a_verdict_without_its_facts_is_still_a_sentence() -> None:
    for verdict in verdicts.SENTENCES:
        assert verdicts.sentence(Command(cmd="restart", state="failed", verdict=verdict))


def test_what_the_agent_says_is_not_taken_for_a_template() -> None:
    said = verdicts.sentence(Command(cmd="stop", state="refused", verdict="refused", facts={"reason": "100 %(x)s <b>"}))
    assert said == "The agent refused. Nothing was touched. The agent says: 100 %(x)s <b>"


def test_an_open_command_has_no_sentence() -> None:
    assert verdicts.sentence(Command(cmd="stop", state="running")) == ""


def test_sentences_are_said_in_the_active_language() -> None:
    with translation.override("ro"):
        assert verdicts.sentence(Command(cmd="stop", state="cancelled", verdict="cancelled", facts={"by": "Ana"}))
