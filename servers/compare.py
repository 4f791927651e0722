"""Two process tables of one server, the earlier and the later, compared. Pure: no database, no clock.

A process is the same when its pid and start ticks are. One that went while another of the same name, user and command
line came counts as restarted, each with one; so many workers that come and go by themselves count as such, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from servers.wire import Proc

GREW_CPU = 5.0  # percent of one core, from which on a process has grown
GREW_MB, GREW_SHARE = 10.0, 0.1  # and so many MB that are also such a share of what it had

Key = tuple[int, int | None]


class Pair(NamedTuple):
    """A process in the earlier table and in the later one; of a restarted one the later has another pid."""

    before: Proc
    after: Proc

    @property
    def cpu(self) -> float:
        """By how much its CPU went up, in percent of one core; none known is none used."""
        return (self.after.cpu or 0.0) - (self.before.cpu or 0.0)

    @property
    def mem_mb(self) -> float:
        """By how many MB its memory went up."""
        return self.after.mem_mb - self.before.mem_mb


class Compared(NamedTuple):
    """What differs between two tables; each list with what uses most, or grew most, first."""

    new: list[Proc]
    gone: list[Proc]
    restarted: list[Pair]
    grown: list[Pair]
    same: int  # how many are in both tables, the grown among them


def compare(before: Iterable[Proc], after: Iterable[Proc], booted: bool = False) -> Compared:
    """What came, went, was restarted or grew from the earlier table to the later one.

    booted: the server was booted in between, so none is the same, whatever its pid and ticks; all were started anew.
    """
    old, now = ({_key(proc): proc for proc in procs} for procs in (before, after))
    both = set() if booted else old.keys() & now.keys()
    kept = [Pair(proc, now[key]) for key, proc in old.items() if key in both]
    gone = [proc for key, proc in old.items() if key not in both]
    new = [proc for key, proc in now.items() if key not in both]
    restarted, gone, new = _paired(gone, new)
    grown = [pair for pair in kept if _grew(pair)]
    return Compared(
        sorted(new, key=_size, reverse=True),
        sorted(gone, key=_size, reverse=True),
        sorted(restarted, key=lambda pair: _size(pair.after), reverse=True),
        sorted(grown, key=_growth, reverse=True),
        len(kept),
    )


def _key(proc: Proc) -> Key:
    return proc.pid, proc.start_ticks


def _paired(gone: Sequence[Proc], new: Sequence[Proc]) -> tuple[list[Pair], list[Proc], list[Proc]]:
    """The restarted ones, and what is left of those gone and those new; the first gone is the first to be back."""
    waiting: dict[tuple[str, str, str], list[Proc]] = {}
    for proc in sorted(gone, key=_started, reverse=True):
        waiting.setdefault(_what(proc), []).append(proc)
    pairs, alone = [], []
    for proc in sorted(new, key=_started):
        candidates = waiting.get(_what(proc))
        if candidates:
            pairs.append(Pair(candidates.pop(), proc))
        else:
            alone.append(proc)
    return pairs, [proc for left in waiting.values() for proc in left], alone


def _what(proc: Proc) -> tuple[str, str, str]:
    return proc.name, proc.user, proc.cmdline


def _started(proc: Proc) -> tuple[int, int]:
    return proc.start_ticks or 0, proc.pid


def _grew(pair: Pair) -> bool:
    return pair.cpu >= GREW_CPU or pair.mem_mb >= max(GREW_MB, GREW_SHARE * pair.before.mem_mb)


def _growth(pair: Pair) -> float:
    """So that a core more and a gigabyte more count the same."""
    return max(pair.cpu / 100, pair.mem_mb / 1024)


def _size(proc: Proc) -> tuple[float, float]:
    return proc.cpu or 0.0, proc.mem_mb
