"""What must hold under every fault; each function fails with what it saw."""

from __future__ import annotations

import itertools

from actions import judge, states
from actions.models import AuditEntry, Command

NOT_EXECUTED = (states.QUEUED, states.DELIVERED, states.EXPIRED, states.CANCELLED, states.REFUSED)
PROVES_AN_ACTION = ("restarted", "started", "stopped", "reloaded")


def nothing_ran_twice_or_late(executed: dict[str, list[str]]) -> None:
    """At most one execution of a command, and only while the hub has it running, or lost sight of it."""
    for command, seen in executed.items():
        assert len(seen) == 1, f"{command} ran {len(seen)} times, while {seen}"
        assert set(seen) <= {states.RUNNING, states.UNKNOWN}, f"{command} ran while it was {seen}"


def audit_tells_the_way(command: Command, entries: list[AuditEntry]) -> None:
    """The moves in the audit are a way from queued to where the command is, each allowed."""
    moves = [(entry.from_state, entry.to_state) for entry in entries]
    assert moves[0] == ("", states.QUEUED), moves
    for (_, before), (old, new) in itertools.pairwise(moves):
        assert old == before, moves
        assert old in states.ALLOWED_FROM[new], moves
    assert moves[-1][1] == command.state, (moves, command.state)


def is_true(command: Command, executions: int) -> None:
    """The state and its verdict say what happened."""
    told = f"{command.uuid} {command.cmd}: {command.state} {command.verdict} {command.facts}, ran {executions} times"
    if command.state in NOT_EXECUTED:
        assert executions == 0, told
    if command.state == states.SUCCEEDED and command.verdict in PROVES_AN_ACTION:
        assert executions == 1, told
    if str(command.facts.get("reason", "")).startswith(judge.NOT_RUN):
        assert executions == 0, told
    if command.state == states.UNKNOWN and command.verdict in judge.FOR_GOOD:
        assert executions <= 1, told


def has_ended(command: Command) -> None:
    """Long after the last fault: over, or unknown for good, and then it says so."""
    settled = command.state in states.ENDED
    honest = command.state == states.UNKNOWN and command.verdict in judge.FOR_GOOD
    assert settled or honest, f"{command.uuid} {command.cmd} is still {command.state}: {command.verdict}"
