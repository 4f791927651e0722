"""Which processes of a table the rules mean: each table is looked through once, for all rules together.

Texts are casefolded on both sides. A name is a pattern as in a shell, a part of the command line is found anywhere in
it, a user is the whole name; of a service are its main process, that one's children, and theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import cache
from typing import Final, NamedTuple

from servers.process_lines import Lines, Stays
from servers.process_query import Term

NAME, CMDLINE, USER, SERVICE = "name", "cmdline", "user", "service"
NOTHING: Final[tuple[int, ...]] = ()
_wild: Final = re.compile(r"[*?[]")


class Wanted(NamedTuple):
    """What a rule means by its parameters; the pattern casefolded."""

    by: str  # of rules.kinds.BY
    pattern: str


class Patterns(dict[str, tuple[int, ...]]):
    """A text -> the numbers of the patterns that fit it; looked up once for each text there is."""

    def __init__(self, patterns: Iterable[tuple[int, str]]) -> None:
        super().__init__()
        self._plain: dict[str, list[int]] = {}
        self._globs: list[tuple[int, re.Pattern[str]]] = []
        wild = []
        for number, pattern in patterns:
            if _wild.search(pattern):
                wild.append(translate(pattern))
                self._globs.append((number, re.compile(wild[-1])))
            else:
                self._plain.setdefault(pattern, []).append(number)
        self._any = re.compile("|".join(wild)) if wild else None

    def __missing__(self, text: str) -> tuple[int, ...]:
        folded = text.casefold()
        found = self._plain.get(folded, [])
        if self._any is not None and self._any.match(folded):
            found = [*found, *(number for number, glob in self._globs if glob.match(folded))]
        self[text] = fits = tuple(found) or NOTHING
        return fits


class Units(Patterns):
    """Of names of services; ".service" may be left out in a pattern."""

    def __missing__(self, text: str) -> tuple[int, ...]:
        whole = super().__missing__(text)
        bare = super().__missing__(text.removesuffix(".service")) if text.endswith(".service") else NOTHING
        self[text] = fits = tuple(dict.fromkeys((*whole, *bare)))
        return fits


def fits(wanted: Wanted) -> Callable[[str], bool]:
    """Whether a text does; what was told of one is remembered. Not of services, which are no texts of a process."""
    if wanted.by in (NAME, USER):
        patterns = Patterns([(0, wanted.pattern)])
        return lambda text: bool(patterns[text])
    if wanted.by != CMDLINE:
        raise ValueError(f"no text of a process: {wanted.by}")
    return cache(lambda text: wanted.pattern in text.casefold())


class Matcher:
    """All that is wanted in one round, numbered as given."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.names, self.users = (Patterns(_of(wanted, by)) for by in (NAME, USER))
        self.units = Units(_of(wanted, SERVICE))
        self.kinds = [one.by for one in wanted]
        self._cmdlines = dict(_of(wanted, CMDLINE))
        self._anchors = {number: Term("cmd", pattern).in_json for number, pattern in self._cmdlines.items()}

    def places(
        self, lines: Lines, procs: Sequence[Stays], meant: frozenset[int], mains: Mapping[int, Sequence[int]]
    ) -> dict[int, list[int]]:
        """Of each number in `meant` that a process fits, those processes' places; mains: of services, main pids."""
        found: dict[int, list[int]] = {}
        kinds = {self.kinds[number] for number in meant}
        if NAME in kinds:
            _add(found, self.names, [proc.name for proc in procs])
        if USER in kinds:
            _add(found, self.users, [proc.user for proc in procs])
        found |= self._by_cmdline(lines, procs, meant)
        if wanted := meant & mains.keys():
            families = _Families(procs, {pid for number in wanted for pid in mains[number]})
            found |= {number: hits for number in wanted if (hits := families.of(mains[number]))}
        return found

    def _by_cmdline(self, lines: Lines, procs: Sequence[Stays], meant: frozenset[int]) -> dict[int, list[int]]:
        wanted = [number for number in meant & self._cmdlines.keys() if lines.mention((self._anchors[number],))]
        folded = [proc.cmdline.casefold() for proc in procs] if wanted else []
        hits = {number: _with(self._cmdlines[number], folded) for number in wanted}
        return {number: places for number, places in hits.items() if places}


class _Families:
    """Of these processes, and all that come from them, who comes from whom."""

    def __init__(self, procs: Sequence[Stays], mains: Collection[int]) -> None:
        pids, before = set(mains), -1
        while before != len(pids):  # as often as there are generations, where a pid is lower than its parent's
            before = len(pids)
            pids.update(proc.pid for proc in procs if proc.ppid in pids)
        self._place: dict[int, int] = {}
        self._children: dict[int | None, list[int]] = {}
        for place, proc in enumerate(procs):
            if proc.pid in pids:
                self._place[proc.pid] = place
                self._children.setdefault(proc.ppid, []).append(proc.pid)

    def of(self, mains: Iterable[int]) -> list[int]:
        """The places of these processes, their children, and the children of those."""
        ahead = [pid for pid in mains if pid in self._place]
        found = set(ahead)
        while ahead:
            new = [pid for pid in self._children.get(ahead.pop(), ()) if pid not in found]
            found.update(new)
            ahead += new
        return sorted(self._place[pid] for pid in found)


def _of(wanted: Sequence[Wanted], by: str) -> list[tuple[int, str]]:
    return [(number, one.pattern) for number, one in enumerate(wanted) if one.by == by]


def _with(part: str, texts: Sequence[str]) -> list[int]:
    return [place for place, text in enumerate(texts) if part in text]


def _add(found: dict[int, list[int]], fits: Patterns, texts: Sequence[str]) -> None:
    alike: dict[tuple[int, ...], list[int]] = {}  # places by the patterns that fit there: those are few
    for place, numbers in enumerate(map(fits.__getitem__, texts)):
        if numbers:
            alike.setdefault(numbers, []).append(place)
    for numbers, places in alike.items():
        for number in numbers:
            found[number] = sorted(found[number] + places) if number in found else places
