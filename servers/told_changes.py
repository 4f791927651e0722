"""A report's processes: told whole, or as what is other than in the base, the newest raw table that the hub has.

Of changes nothing else is decoded, copied or compared: that is most of what a whole report costs. What is stored is to
the byte that of the whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import compress, count
from operator import lt, ne
from sys import intern
from typing import Any, TypeVar

from msgspec import UNSET

from pmonitor.problems import Problem, bad
from servers import changes, proctable, report_rows
from servers.alignment import edited, grown_text, kept_text, last_lines, line_at
from servers.changes import Difference, Others
from servers.outlines import UNKNOWN, Known, Outline, busiest, numbers_of, outline_of
from servers.report_rows import Processes
from servers.wire import Changes, Report, on_the_wire

EACH = {"procs": "new", "cpu": "moved", "mem_mb": "moved", "status": "moved", "threads": "moved"}
T = TypeVar("T")


def processes(server_id: int, report: Report) -> Processes:
    """The report's processes as they are stored. Raises Problem: 400 where it tells them wrongly, 409 without base."""
    if isinstance(report.procs, list) and report.changes is UNSET:
        return report_rows.processes_of(report.procs)
    if report.changes is UNSET or report.base is UNSET:
        raise bad({"procs": "is required, or base and changes are"})
    if report.procs is not UNSET:
        raise bad({"procs": "is not for a report with changes"})
    known = report_rows.told(server_id, report.base)
    if known is None:
        why = f"the hub does not know the processes of the report of {report.base}; send all of them"
        raise Problem(409, f"No such base: {why}.", {"base": why})
    if wrong := dict(_wrong(report.changes, len(known.outline.lines))):
        raise bad(wrong)
    return changed(known, report.changes)


def _wrong(told: Changes, before: int) -> Iterator[tuple[str, str]]:
    """Each field that does not fit a base of so many processes, and why."""
    ends = {"gone": before, "new": told.count, "moved": told.count}
    for name, end in ends.items():
        places = getattr(told, name)
        if not all(map(lt, places, places[1:])) or (places and places[-1] >= end):
            yield f"changes.{name}", f"expected rising places below {end}"
    for name, of in EACH.items():
        many, asked = len(getattr(told, name)), len(getattr(told, of))
        if many != asked:
            yield f"changes.{on_the_wire(name)}", f"expected {asked}, one for each place of {of}, got {many}"
    if not set(told.moved).isdisjoint(told.new):
        yield "changes.moved", "expected none of the places of new"
    if told.count != (left := before - len(told.gone) + len(told.new)):
        yield "changes.count", f"expected {left}, as the base has {before}, got {told.count}"


def changed(known: Known, told: Changes) -> Processes:
    """The base's table with what is other in it."""
    before, gone, new, added = known.outline, told.gone, told.new, proctable.table_of(told.procs)
    more = outline_of(added)
    outline = Outline(
        edited(before.lines, gone, new, more.lines),
        edited(before.sizes, gone, new, more.sizes),
        edited(before.cpu, gone, new, more.cpu),
        edited(before.mem_mb, gone, new, more.mem_mb),
        edited(before.status, gone, new, more.status),
        edited(before.threads, gone, new, more.threads),
    )
    stayed = _among_those_that_stayed(told.moved, new)
    other = Difference(
        gone,
        new,
        _others(outline.cpu, told.moved, stayed, numbers_of(told.cpu)),
        _others(outline.mem_mb, told.moved, stayed, told.mem_mb),
        _others(outline.status, told.moved, stayed, list(map(intern, told.status))),
        _others(outline.threads, told.moved, stayed, told.threads),
    )
    # No list of lines is made of the text: its objects took a tenth of a report's CPU.
    left, sizes = kept_text(proctable.stays_of(known.whole), before.sizes, gone), edited(before.sizes, gone, (), ())
    stays, cpu, top = grown_text(left, sizes, new, added.stays), _cpu(outline), busiest(outline)
    return Processes(
        proctable.pack_text(stays, [cpu, outline.mem_mb.tolist(), outline.status, outline.threads]),
        outline,
        proctable.name_of(line_at(stays, outline.sizes, top)) if stays else "",
        cpu[top] if stays else None,
        base=known.base,
        change=changes.pack_lines(known.base, other, added.stays, last_lines(left, sizes, changes.ALIKE), outline),
    )


def _among_those_that_stayed(moved: list[int], new: list[int]) -> list[int]:
    """The places of the moved ones without the new ones; those are mostly at the end."""
    as_they_are = bisect_left(moved, new[0]) if new else len(moved)
    return moved[:as_they_are] + [place - bisect_left(new, place) for place in moved[as_they_are:]]


def _others(column: Any, places: Sequence[int], stayed: Sequence[int], values: Sequence[T]) -> Others[T]:
    """Put the values in their places of the column; which of them are others there, and what was there before."""
    old = [column[place] for place in places]
    other = list(compress(count(), map(ne, old, values)))
    for number in other:
        column[places[number]] = values[number]
    return Others(
        [stayed[number] for number in other],
        [old[number] for number in other],
        [values[number] for number in other],
    )


def _cpu(outline: Outline) -> list[float | None]:
    cpu: list[Any] = outline.cpu.tolist()
    return [None if value == UNKNOWN else value for value in cpu] if UNKNOWN in cpu else cpu
