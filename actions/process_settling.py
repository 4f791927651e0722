"""Settles what stayed unknown of a command on a process, by the process tables its server reported since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from actions import process_judge, states, wire
from actions.judge import Judgement
from actions.models import Command
from servers import proctable
from servers.models import Newest
from servers.wire import Proc


def settle(command: Command, newest: Newest, procs: Sequence[Proc]) -> tuple[Judgement, dict[str, Any]] | None:
    """The judgement and what was seen, or None while the newest table proves nothing.

    A process that is still there is only believed past the execution deadline: until then the agent may be at work.
    """
    seen = _seen(command.args, newest, procs)
    if seen is None:
        return None
    result = wire.Result(
        outcome="interrupted",
        exit_code=command.evidence.get("exitCode"),
        after=msgspec.convert({**seen, "settledSec": _held(command, newest)}, wire.Observation),
    )
    found = process_judge.judge(command.cmd, command.args, result)
    return None if found.state == states.UNKNOWN else (found, {**seen, "at": newest.sampled_at.isoformat()})


def read(newest: Newest) -> list[Proc]:
    """The newest table's processes."""
    return proctable.unpack(newest.procs) if newest.procs else []


def _seen(args: dict[str, Any], newest: Newest, procs: Sequence[Proc]) -> dict[str, Any] | None:
    """The process as the table has it; None where the table was too small for all and cannot tell."""
    if newest.facts.get("bootId") != args.get("bootId"):
        return {"status": process_judge.GONE}
    proc = next((proc for proc in procs if proc.pid == args.get("pid")), None)
    if proc is None:
        return {"status": process_judge.GONE} if newest.procs_total <= len(procs) else None
    if proc.start_ticks != args.get("startTicks"):
        return {"status": process_judge.GONE}
    return {"status": proc.status, "memMB": proc.mem_mb}


def _held(command: Command, newest: Newest) -> float:
    """Seconds between the execution deadline and the newest sample; 0 before it."""
    since = command.execute_by or newest.sampled_at
    return round(max(0.0, (newest.sampled_at - since).total_seconds()), 1)
