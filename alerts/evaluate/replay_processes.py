"""The past of processes as rules on them would have seen it: judged as tables are that are reported now.

Which processes were the main ones of services, and what they started, history does not tell: only that they were
restarted, which is in services' events (replay_restarts.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import accumulate, groupby
from operator import add
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.utils import timezone

from alerts.evaluate import conditions, process_levels, replay_restarts, succession
from alerts.evaluate.found import NO_DATA, OVER, UNDER, Seen
from alerts.evaluate.limits import REACHED, level_of
from alerts.evaluate.machine import FIRING, Conditions
from alerts.evaluate.process_match import SERVICE, Wanted, fits
from alerts.models import Rule
from alerts.rules import kinds
from alerts.rules.kinds import Processes
from servers import history, process_runs, watching
from servers.chunks.samples import moment_of
from servers.models import StateChange
from servers.process_runs import Hour
from servers.spells import REBOOTED

SECTIONS: Final = {kinds.PROCESS_CPU: process_runs.CPU, kinds.PROCESS_MEMORY: process_runs.MEMORY}
NOBODY, UNTOLD = -2.0, -1.0  # in place of a value: there is no process, or its CPU is not known yet
Told = Iterator[tuple[Conditions, Seen]]
Phase = Callable[[], str | None]  # of the machine, in which the server is; None: it is well


class Span(NamedTuple):
    """Samples one after the other that are alike: the number of the first, one past the last."""

    first: int
    last: int
    level: str
    value: float | None


def can_tell(rule: Rule) -> bool:
    """Whether history does."""
    return rule.kind == kinds.RESTARTING or conditions.params(rule).by != SERVICE


def since() -> datetime:
    """From when on processes can be told."""
    return timezone.now() - history.LEVELS[history.CHUNKS].kept


def past(rule: Rule, server: int, start: datetime, end: datetime, phase: Phase) -> Told:
    """See replay.PASTS_OF_SERVERS; a rule that history can tell."""
    params = conditions.params(rule)
    if params.by == SERVICE:
        yield from replay_restarts.past(rule, server, start, end)
        return
    # A server that did not report for so long was marked silent, and nothing of it was known.
    silent = settings.SILENT_AFTER_REPORTS * watching.usual()
    watched = conditions.of(rule)._replace(gap_sec=silent)
    judged = _restarts(rule, params, _boots(server, start, end)) if rule.kind == kinds.RESTARTING else JUDGES[rule.kind]
    for hour in _hours(rule, params, server, start, end):
        if rule.kind in SECTIONS and phase() is None and _is_never_over(rule, params, hour):
            continue
        for seen in _told(server, hour, judged(rule, params, hour), phase, watched.n is not None):
            yield watched, seen


def measured(
    rule: Rule, server: int, start: datetime, end: datetime
) -> Iterator[tuple[Sequence[int], Sequence[float | None]]]:
    """Of a rule on CPU or memory what it measures: hour by hour the times, in microseconds since 1970, and values."""
    params = conditions.params(rule)
    for hour in _hours(rule, params, server, start, end):
        values = (
            process_levels.used(params.together, most, total) if most > UNTOLD else None
            for most, total in zip(*_sums(hour, params), strict=True)
        )
        yield hour.times, list(values)


def _hours(rule: Rule, params: Processes, server: int, start: datetime, end: datetime) -> Iterator[Hour]:
    asked = Wanted(params.by, params.pattern.casefold())
    wanted = process_runs.Wanted(asked.by, fits(asked), SECTIONS.get(rule.kind))
    return process_runs.hours(server, wanted, start, end)


def _told(server: int, hour: Hour, spans: Iterator[Span], phase: Phase, each_counts: bool) -> Iterator[Seen]:
    """The samples that change something: not one that is well while nothing stands, nor over while it fires.

    each_counts: of "k of n" each that is over does.
    """
    for span in spans:
        for number in range(span.first, span.last):
            stood = phase()
            if (stood == FIRING and not each_counts) if span.level == OVER else stood is None:
                break  # nor do the others of the span
            yield Seen(0, server, "", moment_of(hour.times[number]), span.level, span.value)


def _counted(rule: Rule, _params: Processes, hour: Hour) -> Iterator[Span]:
    """As processes.py counts them: certain where those that the table left out make no difference."""
    more = [0] * (len(hour.times) + 1)
    for run in hour.runs():
        more[run.first] += 1
        more[run.last] -= 1
    counts = list(accumulate(more))[: len(hour.times)]
    any_more = {count: process_levels.of_count(rule, count, process_levels.ANY_NUMBER) for count in set(counts)}
    if NO_DATA not in any_more.values():
        return _joined(counts, lambda count: (any_more[count], count))
    lefts = [max(0, left) for left in hour.left_out()]
    return _joined(list(zip(counts, lefts, strict=True)), lambda both: _of_count(rule, *both))


def _of_count(rule: Rule, count: int, more: int) -> tuple[str, float | None]:
    level = process_levels.of_count(rule, count, more)
    return level, None if level == NO_DATA else count


def _joined(facts: Sequence[Any], judge: Callable[[Any], tuple[str, float | None]]) -> Iterator[Span]:
    first = 0
    for fact, alike in groupby(facts):
        last = first + sum(1 for _one in alike)
        yield Span(first, last, *judge(fact))
        first = last


def _is_never_over(rule: Rule, params: Processes, hour: Hour) -> bool:
    """Whether that is certain without a look at each sample."""
    most = [one for one in hour.most() if one is not None]
    return level_of(rule, process_levels.used(params.together, max(most, default=0.0), sum(most))) != OVER


def _using(rule: Rule, params: Processes, hour: Hour) -> Iterator[Span]:
    """As processes.py measures them: who is gone uses nothing; of a process that is new the CPU is not yet known."""
    most, total = _sums(hour, params)
    values = [round(one, process_levels.EXACTLY) for one in total] if params.together else most
    for number, (one, value) in enumerate(zip(most, values, strict=True)):
        if one == UNTOLD:
            yield Span(number, number + 1, NO_DATA, None)
        elif one == NOBODY:
            yield Span(number, number + 1, UNDER, 0.0)
        else:
            yield Span(number, number + 1, level_of(rule, value), value)


def _sums(hour: Hour, params: Processes) -> tuple[list[float], list[float]]:
    """Of each sample what one process uses at most, and, where that is asked for, what all use."""
    most, total = [NOBODY] * len(hour.times), [0.0] * len(hour.times)
    for run in hour.runs():
        values = [UNTOLD if one is None else one for one in run.values] if None in run.values else run.values
        here = slice(run.first, run.last)
        most[here] = map(max, most[here], values)
        if params.together:
            total[here] = map(add, total[here], [one or 0.0 for one in run.values])
    return most, total


def _boots(server: int, start: datetime, end: datetime) -> list[float]:
    """When it was booted, in seconds since 1970."""
    found = StateChange.objects.filter(server=server, state=REBOOTED, at__gt=start, at__lte=end).order_by("at")
    return [at.timestamp() for at in found.values_list("at", flat=True)]


def _restarts(rule: Rule, params: Any, boots: Sequence[float]) -> Callable[[Rule, Processes, Hour], Iterator[Span]]:
    """As succession.py counts them: from one hour to the next."""
    line: succession.Line | None = None

    def judged(_rule: Rule, _params: Processes, hour: Hour) -> Iterator[Span]:
        nonlocal line
        for first, last, there in _changes(hour):
            at = hour.times[first] / 1e6
            line = succession.followed(line, str(bisect_right(boots, at)), there, at, params.within_sec)
            for number in range(first, last):
                count = succession.within(line.replaced, hour.times[number] / 1e6, params.within_sec)
                yield Span(number, last if not count else number + 1, level_of(rule, count, REACHED), count)
                if not count:
                    break

    return judged


def _changes(hour: Hour) -> Iterator[tuple[int, int, list[process_runs.Who]]]:
    """From which sample up to which the same processes were there, and which."""
    whos, moves = hour.whos(), defaultdict[int, list[tuple[process_runs.Who, int]]](list, {0: []})
    for run in hour.runs():
        moves[run.first].append((whos[run.row], 1))
        moves[run.last].append((whos[run.row], -1))
    numbers = sorted(number for number in moves if number < len(hour.times))
    there = Counter[process_runs.Who]()
    for first, last in zip(numbers, [*numbers[1:], len(hour.times)], strict=True):
        for who, more in moves[first]:
            there[who] += more
        yield first, last, [who for who, many in there.items() if many]


JUDGES: Final[dict[str, Callable[[Rule, Any, Hour], Iterator[Span]]]] = {
    kinds.MISSING: _counted,
    kinds.TOO_MANY: _counted,
    kinds.PROCESS_CPU: _using,
    kinds.PROCESS_MEMORY: _using,
}
