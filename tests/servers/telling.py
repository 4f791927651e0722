"""Process tables told as an agent tells them: only what is other than in the one before (agent/PROTOCOL.md)."""

from __future__ import annotations

from collections.abc import Sequence

from servers.wire import Changes, Proc


def _stays(proc: Proc) -> tuple[object, ...]:
    return proc.name, proc.pid, proc.user, proc.cmdline, proc.ppid, proc.start_ticks


def _moves(proc: Proc) -> tuple[object, ...]:
    return proc.cpu, proc.mem_mb, proc.status, proc.threads


def changes_of(before: Sequence[Proc], after: Sequence[Proc]) -> Changes:
    """What is other: a process is the same one as the next before that stays the same."""
    told, left = Changes(len(after)), 0
    kept: set[int] = set()
    for place, proc in enumerate(after):
        at = next((at for at in range(left, len(before)) if _stays(before[at]) == _stays(proc)), None)
        if at is None:
            told.new.append(place)
            told.procs.append(proc)
            continue
        kept.add(at)
        left = at + 1
        if _moves(before[at]) != _moves(proc):
            told.moved.append(place)
            told.cpu.append(proc.cpu)
            told.mem_mb.append(proc.mem_mb)
            told.status.append(proc.status)
            told.threads.append(proc.threads)
    told.gone.extend(at for at in range(len(before)) if at not in kept)
    return told
