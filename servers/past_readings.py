"""Series of host readings of any range, each out of the level that fits: raw, by the minute, hour or day.

Where a level does not reach up to now, the finer ones go on: days, hours, minutes, then raw readings. All are brought
into one form (average, least, most and count of each reading), and that into steps; a step with nothing in it is a gap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from msgspec import Struct

from pmonitor.rows import fetched
from servers import history
from servers.history import DAY, HOST_DAYS, HOST_HOURS, HOST_MINUTES, HOST_READINGS, HOUR, LEVELS, METRICS, READINGS

WIDTHS = {HOST_MINUTES: timedelta(minutes=1), HOST_HOURS: HOUR, HOST_DAYS: DAY}
EPOCH = datetime.fromtimestamp(0, UTC)
TOTALS = ("mem_total_mb", "swap_total_mb")  # what others are a share of
Series = list[float | None]
_names = re.compile(rf"\b({'|'.join(READINGS)})\b")


class Point(Struct, gc=False):
    """A metric over one step that begins at t."""

    t: datetime
    avg: float
    min: float
    max: float


class Readings(Struct, gc=False):
    """Series by metric (history.METRICS); a step without a reading has no point: that is a gap. step: seconds."""

    step: int
    series: dict[str, list[Point]]


def readings(
    server_id: int, start: datetime, end: datetime, points: int, metrics: Sequence[str] = tuple(METRICS)
) -> Readings:
    """Host readings from start up to and without end, at most so many points of each metric; one query."""
    step, rows = table(server_id, start, end, points, metrics)
    series: dict[str, list[Point]] = {metric: [] for metric in metrics}
    for t, *values in rows:
        for number, metric in enumerate(metrics):
            avg, low, high = values[3 * number : 3 * number + 3]
            if avg is not None:
                series[metric].append(Point(t, avg, low, high))
    return Readings(step, series)


def table(
    server_id: int, start: datetime, end: datetime, points: int, metrics: Sequence[str] = tuple(METRICS)
) -> tuple[int, list[tuple[Any, ...]]]:
    """The same as the step in seconds, and rows: when a step begins, then average, least and most of each metric."""
    step = history.step_for((end - start).total_seconds(), points)
    level = _level(start, step)
    step = max(step, int(WIDTHS.get(level, timedelta(0)).total_seconds()))
    return step, [row[1:] for row in _stepped([server_id], level, start, end, step, metrics)]


def recent(
    server_ids: Sequence[int], metrics: Sequence[str] = ("cpu", "mem"), minutes: int = 30
) -> dict[int, dict[str, Series]]:
    """For each server and metric its averages of the last minutes, oldest first, None where nothing came."""
    last = timezone.now().replace(second=0, microsecond=0)
    first = last - timedelta(minutes=minutes - 1)
    series: dict[int, dict[str, Series]] = {
        server: {metric: [None] * minutes for metric in metrics} for server in server_ids
    }
    rows = _stepped(server_ids, HOST_MINUTES, first, last + timedelta(minutes=1), 60, metrics)
    for server, minute, *values in rows:
        for metric, average in zip(metrics, values[::3], strict=True):
            series[server][metric][(minute - first) // timedelta(minutes=1)] = average
    return series


def _stepped(
    server_ids: Sequence[int], level: str, start: datetime, end: datetime, step: int, metrics: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Rows in the order of time: server, step's begin, and average, least and most of each metric."""
    parts, about = _parts(level, start, end)
    used = list(dict.fromkeys(name for metric in metrics for name in _names.findall(METRICS[metric])))
    source = " UNION ALL ".join(_part(table, used, number) for number, table in enumerate(parts))
    columns = ", ".join(column for metric in metrics for column in _columns(metric))
    query = (
        f"SELECT server_id, date_bin(make_interval(secs => %(step)s), at, 'epoch'), {columns} FROM ({source}) readings"  # noqa: S608
        " GROUP BY 1, 2 ORDER BY 2"
    )
    return fetched(query, about | {"step": step, "servers": list(server_ids)})


def _level(start: datetime, step: int) -> str:
    """The coarsest level that the step allows, or else the finest that reaches back to the start."""
    if step >= WIDTHS[HOST_DAYS].total_seconds():
        return HOST_DAYS
    now = timezone.now()
    for level in (HOST_HOURS, HOST_MINUTES):
        finer = HOST_MINUTES if level == HOST_HOURS else HOST_READINGS
        if step >= WIDTHS[level].total_seconds() or start < now - LEVELS[finer].kept:
            return level
    return HOST_READINGS


def _parts(level: str, start: datetime, end: datetime) -> tuple[list[str], dict[str, Any]]:
    """The tables to read, and from when to when each: start0, end0, start1 …"""
    tables: list[str] = []
    about: dict[str, Any] = {}
    order = (HOST_DAYS, HOST_HOURS, HOST_MINUTES, HOST_READINGS)
    ends = {} if level == HOST_READINGS else history.rolled_up()
    for table in order[order.index(level) :]:
        width, until = WIDTHS.get(table), end
        if width is not None:
            start, until = EPOCH + (start - EPOCH) // width * width, min(end, ends.get(table, EPOCH))
        if start < until or table == HOST_READINGS:
            about |= {f"start{len(tables)}": start, f"end{len(tables)}": until}
            tables.append(table)
            start = max(start, until)
    return tables, about


def _part(table: str, names: Sequence[str], number: int) -> str:
    """One table's readings in the common form."""
    time = "sampled_at" if table == HOST_READINGS else "at"
    parts = ("avg", "min", "max", "n")
    if table == HOST_READINGS:
        # real, as in the other levels: whole numbers would be divided into whole numbers.
        columns = ", ".join(f"{name}::real, {name}::real, {name}::real, ({name} IS NOT NULL)::int" for name in names)
    else:
        columns = ", ".join(f"{name}_{part}" for name in names for part in parts)
    aliases = ", ".join(f"{name}_{part}" for name in names for part in parts)
    return (
        f"SELECT * FROM (SELECT server_id, {time}, {columns} FROM {table} WHERE server_id = ANY(%(servers)s)"  # noqa: S608
        f" AND {time} >= %(start{number})s AND {time} < %(end{number})s) part{number} (server_id, at, {aliases})"
    )


def _columns(metric: str) -> tuple[str, str, str]:
    """Average, least and most of a metric; an average counts as often as there were readings in it."""
    name = _names.findall(METRICS[metric])[0]
    weight = f"sum({name}_n)"
    if METRICS[metric] != name:  # a share may be unknown where what it is a share of is
        weight += f" FILTER (WHERE {_of(metric, 'avg')} IS NOT NULL)"
    average = f"sum({_of(metric, 'avg')} * {name}_n) / nullif({weight}, 0)"
    return average, f"min({_of(metric, 'min')})", f"max({_of(metric, 'max')})"


def _of(metric: str, part: str) -> str:
    """The metric's expression over a level's columns; a share's whole is always the average one."""
    return _names.sub(lambda name: f"{name[0]}_{'avg' if name[0] in TOTALS else part}", METRICS[metric])
