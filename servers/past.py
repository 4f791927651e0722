"""Reads process tables of the past as they were, of raw rows and chunks alike; past_readings.py: host readings.

What is asked is always of one server (or a given list), by its id: who may see it, the caller has checked.
Raw rows are read before chunks. So what is compacted in between is met twice, and never missed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from msgspec import Struct

from pmonitor.rows import fetched, fetched_as_bytes
from servers import history, rawtables
from servers.chunks.read import Chunk
from servers.chunks.samples import EPOCH, Sample
from servers.history import DAY, HOUR
from servers.past_readings import Point, Readings, Series, readings, recent
from servers.proctable import procs_of
from servers.wire import Proc

__all__ = [
    "WITHIN", "Around", "Point", "Readings", "Series", "Snapshot", "around", "line", "readings", "recent", "table",
    "tables", "tables_at",
]  # fmt: skip
WITHIN = timedelta(minutes=15)  # a table this old still tells how it was; an older one does not
Value = tuple[datetime, float | None, float]

RAW_AT = f"""SELECT server_id, sampled_at, ts, procs_total, procs FROM {history.PROCESSES}
    WHERE server_id = ANY(%s) AND sampled_at >= %s AND sampled_at <= %s ORDER BY server_id, sampled_at, ts"""  # noqa: S608
CHUNKS_AT = f"""SELECT DISTINCT ON (server_id) server_id, data FROM {history.CHUNKS}
    WHERE server_id = ANY(%s) AND hour >= %s AND hour <= %s AND first_at <= %s AND last_at > %s
    ORDER BY server_id, hour DESC"""  # noqa: S608
CHUNKS_OF = f"SELECT data FROM {history.CHUNKS} WHERE server_id = %s AND hour >= %s AND hour < %s ORDER BY hour"  # noqa: S608
CHUNK = f"SELECT data FROM {history.CHUNKS} WHERE server_id = %s AND hour = %s"  # noqa: S608
RAW_HOURS = f"""SELECT DISTINCT date_bin('1 hour', sampled_at, 'epoch') FROM {history.PROCESSES}
    WHERE server_id = %(server)s AND sampled_at >= %(start)s AND sampled_at < %(end)s"""  # noqa: S608
HOURS = f"""SELECT hour FROM {history.CHUNKS} WHERE server_id = %(server)s AND hour >= %(first)s AND hour < %(end)s
    UNION {RAW_HOURS} ORDER BY 1"""  # noqa: S608
RAW_BESIDE = f"""SELECT
    (SELECT max(sampled_at) FROM {history.PROCESSES} WHERE server_id = %(server)s AND sampled_at < %(start)s),
    (SELECT min(sampled_at) FROM {history.PROCESSES} WHERE server_id = %(server)s AND sampled_at > %(at)s)"""  # noqa: S608
# The chunk that a moment falls into or comes after, and the edges of those beside it; one row, whatever there is.
CHUNK_AROUND = f"""SELECT data,
    (SELECT last_at FROM {history.CHUNKS} WHERE server_id = %(server)s AND hour < here.hour ORDER BY hour DESC LIMIT 1),
    (SELECT first_at FROM {history.CHUNKS}
        WHERE server_id = %(server)s AND hour >= %(hour)s AND first_at > %(at)s ORDER BY hour LIMIT 1)
    FROM (VALUES (1)) one LEFT JOIN (SELECT hour, data FROM {history.CHUNKS}
        WHERE server_id = %(server)s AND hour <= %(at)s AND first_at <= %(at)s
        ORDER BY hour DESC LIMIT 1) here ON true"""  # noqa: S608


class Snapshot(Struct, gc=False):
    """A server's process table: when it was sampled (hub's clock, agent's clock), of how many, which."""

    sampled_at: datetime
    ts: float
    procs_total: int
    procs: list[Proc]


class Around(Struct):
    """A moment's process table, None where none tells of it; when the samples just before and after were taken.

    Beside a table these are its neighbours; without one, the moment's: of nothing on that side None.
    """

    table: Snapshot | None
    before: datetime | None
    after: datetime | None


def around(server_id: int, moment: datetime, within: timedelta = WITHIN) -> Around:
    """The newest process table at or before a moment, not older than within, and what is beside it; reads one chunk."""
    oldest = moment - within
    raw = _raw_rows([server_id], moment, oldest).get(server_id, [])
    about = {"server": server_id, "start": rawtables.chain_start(oldest), "at": moment, "hour": _hour(moment)}
    ((raw_before, raw_after),) = fetched(RAW_BESIDE, about)
    ((data, chunk_before, chunk_after),) = fetched_as_bytes(CHUNK_AROUND, about)
    chunk = Chunk(data) if data is not None else None
    found = _newer(_of_raw(raw, oldest), _of_chunk(chunk, moment, oldest))
    pivot = found.sampled_at if found else moment
    times = [*(row.sampled_at for row in raw), *(chunk.times if chunk else ())]
    befores = [raw_before, chunk_before, max((at for at in times if at < pivot), default=None)]
    afters = [raw_after, chunk_after, min((at for at in times if at > moment), default=None)]
    return Around(found, max(filter(None, befores), default=None), min(filter(None, afters), default=None))


def table(server_id: int, moment: datetime, within: timedelta = WITHIN) -> Snapshot | None:
    """The newest process table at or before a moment, and not older than within; None where there is none."""
    return tables_at([server_id], moment, within).get(server_id)


def tables_at(server_ids: Iterable[int], moment: datetime, within: timedelta = WITHIN) -> dict[int, Snapshot]:
    """For each server that has one, its newest process table at or before a moment, not older than within."""
    wanted, oldest = list(server_ids), moment - within
    raw = _raw_rows(wanted, moment, oldest)
    found = {server_id: snapshot for server_id, rows in raw.items() if (snapshot := _of_raw(rows, oldest))}
    for server_id, data in fetched_as_bytes(CHUNKS_AT, [wanted, oldest - HOUR, moment, moment, oldest]):
        if newer := _newer(found.get(server_id), _of_chunk(Chunk(data), moment, oldest)):
            found[server_id] = newer
    return found


def tables(server_id: int, start: datetime, end: datetime) -> Iterator[Snapshot]:
    """All process tables sampled from start up to and without end, oldest first; read an hour at a time."""
    for hour in _hours(server_id, start, end):
        for sample in _samples(server_id, max(hour, start), min(hour + HOUR, end)):
            yield _snapshot(sample)


def line(server_id: int, pid: int, start_ticks: int | None, start: datetime, end: datetime) -> list[Value]:
    """One process's (when, CPU in percent of one core or None, memory in MB) from start up to and without end."""
    values: dict[datetime, Value] = {}
    for hour in sorted(_hours(server_id, start, end, RAW_HOURS)):
        for sample in rawtables.samples(_raw(server_id, max(hour, start), min(hour + HOUR, end))):
            for proc in procs_of(sample.table):
                if (proc.pid, proc.start_ticks) == (pid, start_ticks):
                    values[sample.sampled_at] = sample.sampled_at, proc.cpu, proc.mem_mb
    first = _hour(start)
    while first < end:  # a day at a time, so that there is never more than that in memory
        for (data,) in fetched_as_bytes(CHUNKS_OF, [server_id, first, min(end, first + DAY)]):
            values |= {value[0]: value for value in Chunk(data).line(pid, start_ticks)}
        first += DAY
    return [values[at] for at in sorted(values) if start <= at < end]


def _raw_rows(server_ids: Sequence[int], moment: datetime, oldest: datetime) -> dict[int, list[rawtables.Row]]:
    """Of each server that has any: the raw rows up to a moment, back to the first that the oldest may build on."""
    by_server: dict[int, list[rawtables.Row]] = {}
    about = [server_ids, rawtables.chain_start(oldest), moment]
    for server_id, *row in fetched_as_bytes(RAW_AT, about):
        by_server.setdefault(server_id, []).append(rawtables.Row(*row))
    return by_server


def _of_raw(rows: Sequence[rawtables.Row], oldest: datetime) -> Snapshot | None:
    sample = rawtables.newest(rows)
    return _snapshot(sample) if sample and sample.sampled_at > oldest else None


def _of_chunk(chunk: Chunk | None, moment: datetime, oldest: datetime) -> Snapshot | None:
    number = chunk.before(moment) if chunk else None
    if chunk is None or number is None:
        return None
    sampled_at, ts, total = chunk.sampled(number)
    return Snapshot(sampled_at, ts, total, chunk.at(number)) if sampled_at > oldest else None


def _newer(raw: Snapshot | None, compacted: Snapshot | None) -> Snapshot | None:
    return max(filter(None, (raw, compacted)), key=attrgetter("sampled_at"), default=None)


def _samples(server_id: int, start: datetime, end: datetime) -> list[Sample]:
    """The samples of a stretch within one hour."""
    found = {
        sample.key: sample for sample in rawtables.samples(_raw(server_id, start, end)) if sample.sampled_at >= start
    }
    for (data,) in fetched_as_bytes(CHUNK, [server_id, _hour(start)]):
        chunk = Chunk(data)
        first, last = (bisect_left(chunk.times, moment) for moment in (start, end))
        found |= {sample.key: sample for sample in chunk.samples(first, last)}
    return [found[key] for key in sorted(found)]


def _raw(server_id: int, start: datetime, end: datetime) -> list[rawtables.Row]:
    """The raw rows of a stretch, and those they may build on."""
    return rawtables.rows(server_id, rawtables.chain_start(start), end)


def _hours(server_id: int, start: datetime, end: datetime, query: str = HOURS) -> list[datetime]:
    """When hours with samples begin; query: in chunks or raw rows (HOURS), or in raw rows only."""
    about = {"server": server_id, "first": _hour(start), "start": start, "end": end}
    return [hour for (hour,) in fetched(query, about)]


def _hour(moment: datetime) -> datetime:
    return EPOCH + (moment - EPOCH) // HOUR * HOUR


def _snapshot(sample: Sample) -> Snapshot:
    return Snapshot(sample.sampled_at, sample.ts, sample.total, procs_of(sample.table))
