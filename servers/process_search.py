"""Finds processes on many servers, as last reported or as they were at a moment."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from pmonitor.rows import fetched, fetched_as_bytes
from servers import past
from servers.process_lines import CPU, MEM, Lines
from servers.process_query import NO_PIDS, Pids, Term, Wanted
from servers.wire import Proc

AT_ONCE: Final = 100  # servers whose packed tables are held in memory
MOST_COUNTED: Final = 50_000  # processes; who finds more has not said what is looked for
NEWEST: Final = "SELECT server_id, sampled_at, procs FROM servers_newest WHERE server_id = ANY(%s)"
# By hand: the ORM writes each of thousands of ids into its statement, which took as long as the search itself.
RUNNING: Final = """SELECT server_id, main_pid FROM servers_service
    WHERE server_id = ANY(%s) AND main_pid > 0 AND strpos(upper(name), upper(%s)) > 0"""
Served = dict[int, dict[Term, frozenset[int]]]  # by server
Rank = Callable[[float | None, float], float]  # out of CPU and memory; the highest come first


class Hit(NamedTuple):
    """A process that was found, on which server, and when its table was sampled."""

    server_id: int
    sampled_at: datetime
    proc: Proc


def by_cpu(cpu: float | None, _mem: float) -> float:
    """The busiest first."""
    return -1.0 if cpu is None else cpu


def by_memory(_cpu: float | None, mem: float) -> float:
    """The largest first."""
    return mem


def as_found(_cpu: float | None, _mem: float) -> float:
    """In the order of the servers and of their tables."""
    return 0.0


class Gathered:
    """What was found so far: how much in all, and of the first so many by rank which."""

    def __init__(self, rank: Rank, most: int) -> None:
        self.rank, self.most = rank, most
        self.total = 0
        self.on: set[int] = set()  # the servers
        self.users: Counter[str] = Counter()
        self.cpu = self.mem_mb = 0.0  # percent of one core, MB
        self._first: list[tuple[float, int, Callable[[], Hit]]] = []

    @property
    def full(self) -> bool:
        """Whether more was found than can be meant."""
        return self.total >= MOST_COUNTED

    @property
    def hits(self) -> list[Hit]:
        """The first ones in their order."""
        return [make() for _rank, _number, make in sorted(self._first, reverse=True)]

    def add(self, server_id: int, user: str, cpu: float | None, mem: float, make: Callable[[], Hit]) -> None:
        """Count a process, and keep how it is made, when it is one of the first: most that are so for a while go."""
        self.total, self.cpu, self.mem_mb = self.total + 1, self.cpu + (cpu or 0.0), self.mem_mb + mem
        self.on.add(server_id)
        self.users[user] += 1
        rank, number = self.rank(cpu, mem), -self.total  # of two alike the one found before comes first
        if len(self._first) < self.most:
            heapq.heappush(self._first, (rank, number, make))
        elif self._first and (rank, number) > self._first[0][:2]:
            heapq.heapreplace(self._first, (rank, number, make))


def now(server_ids: Sequence[int], wanted: Wanted, served: Served, gathered: Gathered) -> None:
    """Gather from the newest tables of these servers, in their order, until too much is found."""
    for first in range(0, len(server_ids), AT_ONCE):
        ids = server_ids[first : first + AT_ONCE]
        rows = _packed(ids)
        for server_id in filter(rows.__contains__, ids):
            _look_through(server_id, *rows[server_id], wanted, served.get(server_id, NO_PIDS), gathered)
            if gathered.full:
                return


def at(
    server_ids: Sequence[int], moment: datetime, within: timedelta, wanted: Wanted, gathered: Gathered
) -> dict[int, datetime]:
    """Gather from these servers' tables of a moment; when each was sampled, of servers that have one."""
    tables = past.tables_at(server_ids, moment, within)
    for server_id in filter(tables.__contains__, server_ids):
        table = tables[server_id]
        for proc in table.procs:
            if wanted.holds(proc.name, proc.pid, proc.user, proc.cmdline):
                make = partial(Hit, server_id, table.sampled_at, proc)
                gathered.add(server_id, proc.user, proc.cpu, proc.mem_mb, make)
    return {server_id: table.sampled_at for server_id, table in tables.items()}


def services(server_ids: Sequence[int], wanted: Wanted) -> Served:
    """Of each server, for terms that services may hold to by their name, the pids of their main processes."""
    found: Served = {}
    for term in wanted.terms:
        if term.by_service:
            for server_id, pid in fetched(RUNNING, [list(server_ids), term.value]):
                pids = found.setdefault(server_id, {})
                pids[term] = pids.get(term, frozenset()) | {pid}
    return found


def _packed(server_ids: Sequence[int]) -> dict[int, tuple[datetime, bytes]]:
    return {server_id: (at, procs) for server_id, at, procs in fetched_as_bytes(NEWEST, [list(server_ids)])}


def _look_through(server_id: int, at: datetime, data: bytes, wanted: Wanted, pids: Pids, gathered: Gathered) -> None:
    lines = Lines(data)
    anchors = [_anchors(term, pids) for term in wanted.terms]
    if not all(map(lines.mention, anchors)):
        return
    if any(term.field == "service" for term in wanted.terms):
        found = list(lines.every())
        pids = {
            term: _with_descendants(some, found) if term.field == "service" else some for term, some in pids.items()
        }
    else:
        longest = max(anchors, key=lambda some: min(map(len, some)), default=[b""])
        found = list(lines.with_any(longest) if all(longest) else lines.every())
    for place, stays in found:
        name, pid, user, cmdline, _ppid, _ticks = stays
        if wanted.holds(name, pid, user, cmdline, pids):
            make = partial(_hit, server_id, at, lines.later(place, stays))
            gathered.add(server_id, user, lines.moves(place, CPU), lines.moves(place, MEM), make)


def _hit(server_id: int, at: datetime, make: Callable[[], Proc]) -> Hit:
    return Hit(server_id, at, make())


def _anchors(term: Term, pids: Pids) -> list[bytes]:
    """Of which at least one is in the table's JSON, where a process holds to the term."""
    by_service = [f",{pid},".encode() for pid in pids.get(term, ())]
    return by_service if term.field == "service" else [term.in_json, *by_service]


def _with_descendants(pids: frozenset[int], processes: Sequence[tuple[int, list[object]]]) -> frozenset[int]:
    """These processes, their children, and the children of those."""
    children: dict[object, list[int]] = {}
    for _place, (_name, pid, _user, _cmdline, ppid, _ticks) in processes:
        children.setdefault(ppid, []).append(pid)  # type: ignore[arg-type]
    found, ahead = set(pids), list(pids)
    while ahead:
        new = [child for child in children.get(ahead.pop(), ()) if child not in found]
        found.update(new)
        ahead += new
    return frozenset(found)
