"""Evidence to verdict for commands on processes, and what later process tables settle."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from actions import deadlines, states, verdicts, wire
from actions.models import AuditEntry, Command
from actions.process_judge import judge
from servers.models import Server
from tests.actions.making import SLEEP, TERM, ago, command, with_processes

ALIVE = {"status": "sleeping", "nice": 0, "settledSec": 5}
STOPPED = {"status": "stopped", "nice": 0, "settledSec": 5}
BLOCKED = {"status": "disk wait", "settledSec": 5}
GONE = {"status": "gone", "settledSec": 0}
ZOMBIE = {"status": "zombie", "settledSec": 5}
GLANCE = {"status": "sleeping", "nice": 0, "settledSec": 0}
REFUSED_BY_KERNEL = {"outcome": "failed", "exitCode": 1, "output": "Operation not permitted"}
CUT_OFF = {"outcome": "interrupted", "exitCode": None}

CASES: list[tuple[str, Any, dict[str, Any], str, str]] = [
    # signal or nice value, after, other fields -> state, verdict
    ("TERM", GONE, {}, "succeeded", "ended"),
    ("TERM", ZOMBIE, {}, "succeeded", "ended_unreaped"),
    ("TERM", ALIVE, {}, "failed", "still_there"),
    ("TERM", {**ALIVE, "settledSec": 0.5}, {}, "failed", "still_there"),
    ("TERM", STOPPED, {}, "failed", "still_there_stopped"),
    ("TERM", GONE, REFUSED_BY_KERNEL, "succeeded", "gone"),
    ("TERM", ALIVE, REFUSED_BY_KERNEL, "failed", "said_failed"),
    ("TERM", GONE, CUT_OFF, "succeeded", "gone"),
    ("TERM", GLANCE, CUT_OFF, "unknown", "interrupted"),
    ("TERM", ALIVE, CUT_OFF, "failed", "still_there_unsure"),
    ("TERM", None, CUT_OFF, "unknown", "interrupted"),
    ("TERM", None, {}, "unknown", "not_observed"),
    ("TERM", None, {"outcome": "failed", "exitCode": 1}, "failed", "said_failed"),
    ("TERM", None, {**CUT_OFF, "reason": "not run: …"}, "failed", "said_failed"),
    ("TERM", GONE, {"outcome": "refused"}, "failed", "refused_late"),
    ("INT", ALIVE, {}, "failed", "still_there"),
    ("KILL", GONE, {}, "succeeded", "ended"),
    ("KILL", BLOCKED, {}, "failed", "still_there_waits"),
    ("HUP", GONE, {}, "succeeded", "ended"),
    ("HUP", ALIVE, {}, "succeeded", "delivered"),
    ("HUP", GLANCE, CUT_OFF, "unknown", "signal_unseen"),
    ("HUP", GLANCE, {**CUT_OFF, "exitCode": 0}, "succeeded", "delivered"),
    ("USR1", ALIVE, {}, "succeeded", "delivered"),
    ("USR2", STOPPED, {}, "succeeded", "delivered_waits"),
    ("USR1", GONE, {}, "failed", "not_survived"),
    ("USR1", ZOMBIE, {}, "failed", "not_survived"),
    ("USR1", GONE, CUT_OFF, "failed", "process_gone"),
    ("STOP", STOPPED, {}, "succeeded", "process_stopped"),
    ("STOP", {**STOPPED, "settledSec": 1}, {}, "unknown", "not_held"),
    ("STOP", {**STOPPED, "status": "tracing stop"}, {}, "succeeded", "process_stopped"),
    ("STOP", ALIVE, {}, "failed", "process_runs"),
    ("STOP", GLANCE, CUT_OFF, "unknown", "interrupted"),
    ("STOP", GONE, {}, "failed", "not_survived"),
    ("CONT", ALIVE, {}, "succeeded", "continued"),
    ("CONT", STOPPED, {}, "failed", "still_stopped"),
    ("CONT", GONE, {}, "failed", "not_survived"),
    (10, {**ALIVE, "nice": 10}, {}, "succeeded", "reniced"),  # type: ignore[list-item]
    (10, {**GLANCE, "nice": 10}, CUT_OFF, "succeeded", "reniced"),  # type: ignore[list-item]
    (10, ALIVE, {}, "failed", "not_reniced"),  # type: ignore[list-item]
    (-5, ALIVE, {**REFUSED_BY_KERNEL, "output": "Permission denied"}, "failed", "said_failed"),  # type: ignore[list-item]
    (10, GONE, {}, "failed", "process_gone"),  # type: ignore[list-item]
    (10, {"status": "sleeping", "settledSec": 5}, {}, "unknown", "not_observed"),  # type: ignore[list-item]
]  # fmt: skip


def judged(what: str | int, after: Any, fields: dict[str, Any]) -> tuple[Command, str]:
    """The command as judged, and its verdict."""
    cmd, args = (states.SIGNAL, {"signal": what}) if isinstance(what, str) else (states.RENICE, {"nice": what})
    result = msgspec.convert({"outcome": "done", "exitCode": 0, "after": after, **fields}, wire.Result)
    state, verdict, facts = judge(cmd, args, result)
    return Command(cmd=cmd, args=args, state=state, verdict=verdict, facts=facts), verdict


@pytest.mark.parametrize(("what", "after", "fields", "state", "verdict"), CASES)
def test_evidence_decides(what: str | int, after: Any, fields: dict[str, Any], state: str, verdict: str) -> None:
    command, found = judged(what, after, fields)
    assert (command.state, found) == (state, verdict)
    said = verdicts.sentence(command)
    assert said[0].isupper()
    assert "%" not in said
    assert "?" not in said


def test_the_sentences_name_the_signal_and_what_the_kernel_said() -> None:
    assert verdicts.sentence(judged("TERM", ALIVE, {})[0]) == "It is still there 5 s after TERM."
    assert verdicts.sentence(judged("TERM", ALIVE, REFUSED_BY_KERNEL)[0]) == (
        "The agent could not do it. The agent says: Operation not permitted"
    )
    assert verdicts.sentence(judged(10, ALIVE, {})[0]) == "Its nice value is 0, not 10."


def unknown(server: Server, *, past: bool = True, **args: Any) -> Command:
    """A command on the sleep, whose outcome stayed open."""
    cmd = states.RENICE if "nice" in args else states.SIGNAL
    times = {"started_at": ago(140), "execute_by": ago(20 if past else -20)}
    return command(
        server, states.UNKNOWN, cmd=cmd, target="sleep[4711]", args={**TERM, **args}, verdict="timed_out", **times
    )


def settled(there: Command) -> tuple[str, str]:
    deadlines.resolve_unknown_processes()
    there.refresh_from_db()
    return there.state, there.verdict


OTHER = msgspec.structs.replace(SLEEP, pid=99)
REUSED = msgspec.structs.replace(SLEEP, start_ticks=90_000)
HALTED = msgspec.structs.replace(SLEEP, status="stopped")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("args", "proc", "columns", "ending"),
    [
        ({}, OTHER, {}, ("succeeded", "gone")),
        ({}, REUSED, {}, ("succeeded", "gone")),
        ({}, SLEEP, {"facts": {"bootId": "another"}}, ("succeeded", "gone")),
        ({}, SLEEP, {}, ("failed", "still_there_unsure")),
        ({"signal": "STOP"}, HALTED, {}, ("succeeded", "process_stopped")),
        ({"signal": "STOP"}, SLEEP, {}, ("failed", "process_runs")),
        ({"signal": "USR1"}, OTHER, {}, ("failed", "process_gone")),
        ({"signal": "USR1"}, SLEEP, {}, ("unknown", "timed_out")),
        ({"nice": 5}, SLEEP, {}, ("unknown", "timed_out")),
        ({}, OTHER, {"procs_total": 900}, ("unknown", "timed_out")),  # it may be among those left out
        ({}, OTHER, {"sampled_at": ago(200)}, ("unknown", "timed_out")),  # a table of before
    ],
)
def test_the_next_tables_settle_it(
    web1: Server, args: dict[str, Any], proc: Any, columns: dict[str, Any], ending: tuple[str, str]
) -> None:
    there = unknown(web1, **args)
    with_processes(web1, proc, **columns)
    assert settled(there) == ending
    assert AuditEntry.objects.filter(command=there).count() == (ending[0] != "unknown")


@pytest.mark.django_db
def test_that_it_is_still_there_is_not_believed_before_the_deadline(web1: Server) -> None:
    there = unknown(web1, past=False)
    with_processes(web1)
    assert settled(there)[0] == "unknown"
    with_processes(web1, OTHER)
    assert settled(there) == ("succeeded", "gone")
