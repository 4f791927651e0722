"""Reads when some processes of a server were there in the past, and what they used: an hour at a time, oldest first.

Of a chunk the identities are read first, which are a tenth of it, and of the rest only the metric that is asked for,
where one of them is in it. Nothing is built sample by sample, but where an hour is not compacted yet.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec

from pmonitor.rows import fetched_as_bytes
from servers import history, rawtables
from servers.chunks.read import HEAD, Chunk
from servers.chunks.samples import EPOCH, Sample, micros
from servers.history import HOUR
from servers.proctable import STAYS

CPU, MEMORY = 1, 2  # sections of a chunk
AT_ONCE: Final = 24  # chunks' identities, or metrics, that are held in memory
HOURS: Final = f"""SELECT hour FROM {history.CHUNKS}
    WHERE server_id = %s AND hour > %s AND hour < %s AND first_at < %s AND last_at >= %s ORDER BY hour"""  # noqa: S608
# A chunk's first section, whose size is told in bytes 1 to 4; as the column is stored, no more than that is read.
HEADS: Final = f"""SELECT hour, substring(data FROM 1 FOR {HEAD} + get_byte(size, 0) + (get_byte(size, 1) << 8)
    + (get_byte(size, 2) << 16)) FROM (SELECT hour, data, substring(data FROM 2 FOR 4) AS size FROM {history.CHUNKS}
    WHERE server_id = %s AND hour = ANY(%s::timestamptz[]) OFFSET 0) AS chunks"""  # noqa: S608
BEGINNINGS: Final = f"""SELECT chunk.hour, substring(data FROM 1 FOR size)
    FROM unnest(%s::timestamptz[], %s::int[]) AS asked (hour, size) JOIN {history.CHUNKS} chunk
    ON chunk.server_id = %s AND chunk.hour = asked.hour"""  # noqa: S608
WHOLE: Final = f"SELECT data FROM {history.CHUNKS} WHERE server_id = %s AND hour = %s"  # noqa: S608
Who = tuple[int, int | None]  # pid and start ticks
_lines: Final = msgspec.json.Decoder(list[Any])


class Wanted(NamedTuple):
    """Whose past is read: of which processes one of the texts of STAYS fits; section: the metric besides, if any."""

    field: str
    fits: Callable[[str], bool]
    section: int | None = None


class Run(NamedTuple):
    """A process in samples one after the other: the number of the first, one past the last; values, if asked for."""

    row: int  # of its hour: which process
    first: int
    last: int
    values: list[Any]


class Hour(NamedTuple):
    """The samples of an hour, in microseconds since 1970, and the wanted processes in them: as much as is asked for.

    runs: when they were there. whos: which processes, by their rows. most: the greatest value of each, in these samples
    or some beside them; None where its CPU is not known. left_out: of each sample, how many processes it does not tell.
    """

    times: Sequence[int]
    runs: Callable[[], list[Run]]
    whos: Callable[[], Mapping[int, Who]]
    most: Callable[[], list[float | None]]
    left_out: Callable[[], list[int]]


class _Fitting(NamedTuple):
    """A chunk, or its beginning, and the rows of the wanted."""

    chunk: Chunk
    rows: list[int]


def hours(server_id: int, wanted: Wanted, start: datetime, end: datetime) -> Iterator[Hour]:
    """What was sampled from start up to and without end; hours without a sample are left out."""
    raw = _raw(server_id, start, end)  # before chunks: what is compacted in between is met twice, and never missed
    compacted = [hour for (hour,) in fetched_as_bytes(HOURS, [server_id, start - HOUR, end, end, start])]
    chunks = _chunks(server_id, wanted, [hour for hour in compacted if hour not in raw])
    for hour in sorted({*compacted, *raw}):
        if hour in raw:
            found = _of_raw(raw[hour], _of_hour(server_id, hour), wanted)
        else:
            chunk = next(chunks)
            if chunk is None:  # gone in between, with the oldest history
                continue
            found = _of_chunk(chunk, wanted.section)
        cut = _between(found, micros(start), micros(end))
        if cut.times:
            yield cut


def _raw(server_id: int, start: datetime, end: datetime) -> Mapping[datetime, list[rawtables.Row]]:
    """The raw rows, and those they build on, by their hours."""
    rows = fetched_as_bytes(rawtables.ROWS, [server_id, rawtables.chain_start(start), end])
    found = (rawtables.Row(at, ts, total, bytes(procs)) for at, ts, total, procs in rows)
    return {hour: list(those) for hour, those in groupby(found, key=lambda row: _hour(row.sampled_at))}


def _hour(moment: datetime) -> datetime:
    return EPOCH + (moment - EPOCH) // HOUR * HOUR


def _chunks(server_id: int, wanted: Wanted, asked: Sequence[datetime]) -> Iterator[_Fitting | None]:
    """The chunks of these hours, of each as much as is needed."""
    for first in range(0, len(asked), AT_ONCE):
        some = list(asked[first : first + AT_ONCE])
        found = {hour: _fitting(Chunk(data), wanted) for hour, data in fetched_as_bytes(HEADS, [server_id, some])}
        if wanted.section is not None:
            _complete(server_id, found, wanted, wanted.section + 1)
        for hour in some:
            yield found.pop(hour, None)  # with what is decoded of it


def _fitting(chunk: Chunk, wanted: Wanted) -> _Fitting:
    return _Fitting(chunk, chunk.fitting(wanted.field, wanted.fits))


def _complete(server_id: int, found: dict[datetime, _Fitting], wanted: Wanted, sections: int) -> None:
    """Read on where one of the wanted is."""
    sizes = {hour: one.chunk.size(sections) for hour, one in found.items() if one.rows}
    if not sizes:
        return
    read = dict(fetched_as_bytes(BEGINNINGS, [list(sizes), list(sizes.values()), server_id]))
    for hour in sizes:
        if hour not in read or not found[hour].chunk.goes_on(read[hour]):  # gone, or written anew, in between
            del found[hour]
            for (whole,) in fetched_as_bytes(WHOLE, [server_id, hour]):
                found[hour] = _fitting(Chunk(whole), wanted)


def _of_chunk(found: _Fitting, section: int | None) -> Hour:
    chunk, rows = found
    return Hour(
        chunk.micros,
        lambda: _runs(chunk, rows, section),
        lambda: dict(zip(rows, chunk.identities(rows), strict=True)),
        lambda: chunk.most(section, rows) if section and rows else [],
        chunk.left_out,
    )


def _runs(chunk: Chunk, rows: Sequence[int], section: int | None) -> list[Run]:
    if section is None:
        return [Run(run.row, run.first, run.last, []) for run in chunk.runs_of(rows)]
    used = chunk.used(section, rows) if rows else ()
    return [Run(one.row, one.first, one.first + len(one.values), one.values) for one in used]


class _Listed(NamedTuple):
    """A sample: when by the hub's clock and the agent's, of how many processes, their lines and what they use."""

    at: datetime
    ts: float
    total: int
    lines: Sequence[bytes]
    values: Sequence[Any]


def _of_hour(server_id: int, hour: datetime) -> Chunk | None:
    """What is compacted of an hour of which something came later."""
    return next((Chunk(data) for (data,) in fetched_as_bytes(WHOLE, [server_id, hour])), None)


def _of_raw(rows: Sequence[rawtables.Row], chunk: Chunk | None, wanted: Wanted) -> Hour:
    """An hour that is not compacted, or not all of it; what is in both counts once."""
    listed = [_Listed(*row[:3], lines, lines) for row, lines in rawtables.lines(rows)]
    if wanted.section is not None and (chunk is not None or _name_one(listed, wanted)):
        listed = [_listed(sample, wanted.section) for sample in rawtables.samples(rows)]
    if chunk is not None:
        listed += [_listed(sample, wanted.section) for sample in chunk.samples()]
    by_key = {(one.at, one.ts): one for one in listed}
    return _of_samples([by_key[key] for key in sorted(by_key)], wanted)


def _listed(sample: Sample, section: int | None) -> _Listed:
    table = sample.table
    return _Listed(*sample[:3], table.stays, table.mem_mb if section == MEMORY else table.cpu)


def _name_one(listed: Sequence[_Listed], wanted: Wanted) -> bool:
    lines = set().union(*(one.lines for one in listed))
    return any(_who(line, wanted) is not None for line in lines)


def _of_samples(samples: Sequence[_Listed], wanted: Wanted) -> Hour:
    known: set[bytes] = set()
    whos: dict[bytes, Who] = {}  # by the lines of the wanted
    rows: dict[tuple[bytes, int], int] = {}
    going: dict[tuple[bytes, int], Run] = {}  # by line, and which of those that are alike
    runs: list[Run] = []
    for number, (_at, _ts, _total, lines, values) in enumerate(samples):
        fresh = set(lines).difference(known)
        whos |= {line: who for line in fresh if (who := _who(line, wanted))}
        known |= fresh
        stayed: dict[tuple[bytes, int], Run] = {}
        for place in _places(lines, whos.keys()):
            key = _free(lines[place], stayed)
            run = going.get(key, Run(rows.setdefault(key, len(rows)), number, number, []))
            run.values.append(values[place])
            stayed[key] = run
        runs += (_ended(run) for key, run in going.items() if key not in stayed)
        going = stayed
    runs += map(_ended, going.values())
    return Hour(
        [micros(one.at) for one in samples],
        lambda: runs,
        lambda: {row: whos[line] for (line, _copy), row in rows.items()},
        lambda: list(map(_most, runs)),
        lambda: [one.total - len(one.lines) for one in samples],
    )


def _most(run: Run) -> float | None:
    return max((one for one in run.values if one is not None), default=None)


def _places(lines: Sequence[bytes], wanted: Set[bytes]) -> list[int]:
    return [] if wanted.isdisjoint(lines) else [place for place, line in enumerate(lines) if line in wanted]


def _who(line: bytes, wanted: Wanted) -> Who | None:
    stays = dict(zip(STAYS, _lines.decode(line), strict=True))
    return (stays["pid"], stays["start_ticks"]) if wanted.fits(stays[wanted.field]) else None


def _free(line: bytes, taken: Mapping[tuple[bytes, int], Run]) -> tuple[bytes, int]:
    copy = 0
    while (line, copy) in taken:
        copy += 1
    return line, copy


def _ended(run: Run) -> Run:
    return run._replace(last=run.first + len(run.values))


def _between(found: Hour, start: int, end: int) -> Hour:
    """What of it is from start up to and without end."""
    first, last = bisect_left(found.times, start), bisect_left(found.times, end)
    if last - first == len(found.times):
        return found
    return Hour(
        found.times[first:last],
        lambda: [_cut(run, first, last) for run in found.runs() if run.first < last and run.last > first],
        found.whos,
        found.most,
        lambda: found.left_out()[first:last],
    )


def _cut(run: Run, first: int, last: int) -> Run:
    values = run.values[max(first - run.first, 0) : last - run.first]
    return run._replace(first=max(run.first, first) - first, last=min(run.last, last) - first, values=values)
