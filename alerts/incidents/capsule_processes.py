"""The processes of a capsule: what used most when an incident opened, and what of that had risen since just before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from heapq import nlargest
from typing import Any, NamedTuple

from servers import compare, past, past_page, service_history
from servers.past import Snapshot
from servers.wire import Proc

# Before it began; nearer by, a rule that waits sees the rise itself, so that is for servers that were not there sooner.
JUST_BEFORE = tuple(timedelta(seconds=seconds) for seconds in (300, 120, 60, 30, 10))
TOP = 5  # by CPU, by memory, by what rose
MOST_NAMED = 5
CHARS = 255  # of a command line

METRICS = {"cpu": "cpu", "memMB": "mem_mb"}  # in the capsule, of a process

Key = tuple[int, int | None]


class Named(NamedTuple):
    """Which processes the rule is about: by pid and start ticks, by name, by a pattern of names, by main process."""

    key: Key | None = None
    name: str = ""
    pattern: str = ""
    main_pid: int | None = None

    def holds(self, proc: Proc) -> bool:
        """Whether this is one of them."""
        if self.key:
            return (proc.pid, proc.start_ticks) == self.key
        if self.name or self.pattern:
            return proc.name == self.name or bool(self.pattern and fnmatchcase(proc.name, self.pattern))
        return self.main_pid is not None and proc.pid == self.main_pid


class Row(NamedTuple):
    """A process before and then; None where it was not there. was: of a restarted one, its predecessor's pid."""

    before: Proc | None
    then: Proc | None
    was: int | None = None

    @property
    def one(self) -> Proc:
        """The process, as it was seen last."""
        found = self.then or self.before
        assert found is not None  # noqa: S101 - told to the type checker: it was in one of the tables
        return found

    @property
    def rise(self) -> float:
        """By how much it went up, so that a core more and a gigabyte more count the same; 0 for what is little."""
        cpu, mem = (getattr(self.then, name, 0) or 0 for name in ("cpu", "mem_mb"))
        cpu -= (self.before.cpu or 0) if self.before else 0
        mem -= self.before.mem_mb if self.before else 0
        if self.then is None or (cpu < compare.GREW_CPU and mem < compare.GREW_MB):
            return 0.0
        return float(max(cpu / 100, mem / 1024))


def find(server_id: int, began: datetime, opened: datetime, named: Named) -> dict[str, Any]:
    """The tables' moments, what rose most, the processes that matter, what uses most first; empty without a table.

    Times in ISO 8601, CPU in percent of one core, memory in MB.
    """
    then = past.table(server_id, opened)
    if then is None:
        return {}
    before = next(filter(None, (past.table(server_id, began - back) for back in JUST_BEFORE)), None)
    booted = before is not None and service_history.booted(server_id, before.sampled_at, then.sampled_at) is not None
    rows = _rows(before, then, booted)
    rose = {id(row) for row in nlargest(TOP, rows, key=lambda row: row.rise) if row.rise} if before else set()
    found = {
        "at": then.sampled_at.isoformat(),
        "before": before.sampled_at.isoformat() if before else None,
        "booted": booted,
        "roseMost": {name: _rose_most(rows, field) for name, field in METRICS.items()} if before else None,
        "rows": [_told(row, id(row) in rose, named) for row in _chosen(rows, rose, named)],
    }
    return {name: value for name, value in found.items() if value not in (None, False)}


def named_by(facts: Mapping[str, Any], main_pid: int | None) -> Named:
    """What an incident's facts say of its process; main_pid: of its unit, if it is about one."""
    pid, ticks, by = facts.get("pid"), facts.get("startTicks"), facts.get("by")
    if isinstance(pid, int) and not facts.get("together"):
        return Named(key=(pid, ticks if isinstance(ticks, int) else None))
    name, pattern = str(facts.get("process") or ""), str(facts.get("pattern") or "") if by == "name" else ""
    return Named(name=name, pattern=pattern, main_pid=main_pid)


def _rows(before: Snapshot | None, then: Snapshot, booted: bool) -> list[Row]:
    old, now = past_page.processes(before), past_page.processes(then)
    if before is None:
        return [Row(None, proc) for proc in now]
    compared = compare.compare(old, now, booted)
    anew = {_key(pair.after): pair.before for pair in compared.restarted}
    kept = {} if booted else {_key(proc): proc for proc in old}
    rows = [Row(kept.get(_key(proc)), proc) for proc in now if _key(proc) not in anew]
    rows += [Row(anew[_key(proc)], proc, anew[_key(proc)].pid) for proc in now if _key(proc) in anew]
    return rows + [Row(proc, None) for proc in compared.gone]


def _chosen(rows: list[Row], rose: set[int], named: Named) -> list[Row]:
    there, gone = [row for row in rows if row.then], [row for row in rows if not row.then]
    picked = [
        *(row for row in rows if id(row) in rose),
        *nlargest(MOST_NAMED, (row for row in rows if named.holds(row.one)), key=_size),
        *_top(there, lambda proc: proc.cpu or 0.0),
        *_top(there, lambda proc: proc.mem_mb),
        *nlargest(TOP, (row for row in gone if _size(row) >= compare.GREW_CPU / 100), key=_size),
    ]
    chosen = {id(row): row for row in picked}
    return sorted(chosen.values(), key=lambda row: (row.then is not None, _size(row)), reverse=True)


def _rose_most(rows: list[Row], field: str) -> dict[str, Any] | None:
    """The name whose processes together went up most, by enough to matter: how many there are, their sums."""
    sums: dict[str, list[float]] = {}
    for row in rows:
        one = sums.setdefault(row.one.name, [0, 0.0, 0.0])
        one[0] += row.then is not None
        one[1] += (getattr(row.before, field) or 0.0) if row.before else 0.0
        one[2] += (getattr(row.then, field) or 0.0) if row.then else 0.0
    name, (count, before, now) = max(sums.items(), key=lambda item: item[1][2] - item[1][1], default=("", [0, 0, 0]))
    least = compare.GREW_CPU if field == "cpu" else compare.GREW_MB
    told = {"name": name, "count": int(count), "before": round(before, 1), "now": round(now, 1)}
    return told if now - before >= least else None


def _top(rows: Iterable[Row], by: Any) -> list[Row]:
    return [row for row in nlargest(TOP, rows, key=lambda row: by(row.one)) if by(row.one) > 0]


def _size(row: Row) -> float:
    return max((row.one.cpu or 0.0) / 100, row.one.mem_mb / 1024)


def _key(proc: Proc) -> Key:
    return proc.pid, proc.start_ticks


def _told(row: Row, rose: bool, named: Named) -> dict[str, Any]:
    one, then, before = row.one, row.then, row.before
    told = {
        "name": one.name,
        "pid": one.pid,
        "startTicks": one.start_ticks,
        "user": one.user,
        "cmdline": one.cmdline[:CHARS],
        "cpu": then.cpu if then else None,
        "memMB": round(then.mem_mb, 1) if then else None,
        "cpuBefore": before.cpu if before else None,
        "memMBBefore": round(before.mem_mb, 1) if before else None,
        "was": row.was,
        "gone": then is None,
        "rose": rose,
        "named": named.holds(one),
    }
    return {name: value for name, value in told.items() if value not in (None, False, "")}
