"""The past of readings, as a rule about them would have seen it.

Hours come first: in one whose greatest value is not over, nothing began. Of the others, and of as many after them as
end what began in them, the samples are read: raw ones while they are kept and are not too many, else the averages of
minutes, or of hours. Of these the samples that are well, and came after others so, are left out in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone
from psycopg import Cursor, sql

from alerts.evaluate import conditions, readings
from alerts.evaluate.found import Aim, Seen
from alerts.evaluate.machine import Conditions
from alerts.evaluate.readings import Watched
from alerts.models import Rule
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import history
from servers.history import HOST_HOURS, HOST_MINUTES, HOST_READINGS, HOUR, LEVELS

RAW_HOURS, MINUTE_HOURS = 300, 6_000  # of servers together: of more than that the next coarser level is read
SPACING = {HOST_MINUTES: 60, HOST_HOURS: 3600}  # seconds
EPOCH = datetime.fromtimestamp(0, UTC)
# The greatest value that there may have been in each hour: of a share, out of the most used and the least total.
HOURS = """SELECT server_id, at, {bound} FROM {hours}
    WHERE server_id = ANY(%(servers)s) AND at >= %(start)s AND at < %(end)s ORDER BY server_id, at"""
SAMPLES = """
SELECT span.server, extract(epoch FROM at)::float8, value::float8
FROM unnest(%(servers)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS span (server, start, until)
LEFT JOIN LATERAL (SELECT (facts->>'cpuCount')::real AS cpus FROM servers_newest
    WHERE server_id = span.server) AS newest ON true
CROSS JOIN LATERAL (
    SELECT at, value, max(at) FILTER (WHERE is_hot) OVER (ORDER BY at) AS hot_at
    FROM (
        SELECT at, value, value IS NULL OR {sign} value > {clear}::real
            OR coalesce(at - lag(at) OVER (ORDER BY at) > %(gap)s, true) AS is_hot
        FROM (
            SELECT {time} AS at, ({value})::real AS value FROM {level}
            WHERE server_id = span.server AND {time} >= span.start AND {time} < span.until
                AND {time} >= %(first)s AND {time} < %(last)s OFFSET 0
        ) AS told
    ) AS looked
) AS kept
WHERE at <= hot_at + %(tail)s ORDER BY span.server, at"""
_names = re.compile(rf"\b({'|'.join(history.READINGS)})\b")


class Span(NamedTuple):
    """So long a server is looked at sample by sample."""

    server: int
    start: datetime
    end: datetime


def past(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Iterator[tuple[Conditions, Seen]]:
    """See replay.Past."""
    watched, own = readings.watched(Aim(rule, servers)), conditions.of(rule)
    spans = _spans(watched, own, servers, start, end)
    for level, those in _levels(spans):
        at_level = _conditions(own, level)
        for server, at, value in _samples(watched, at_level, level, those):
            yield at_level, watched.seen(server, datetime.fromtimestamp(at, UTC), value)


def _conditions(own: Conditions, level: str) -> Conditions:
    """Averages are few and smooth: "k of n samples" is asked of each, and a gap is longer."""
    if level == HOST_READINGS:
        return own
    return own._replace(k=None, n=None, gap_sec=2.5 * SPACING[level])


def _tail(own: Conditions) -> timedelta:
    """After so long without a sample that is not well, nothing stands any more."""
    gap = own.gap_sec or 0
    return timedelta(seconds=max(own.clear_for_sec + 2 * gap, (own.n or 0) * gap) + 1)


def _spans(watched: Watched, own: Conditions, servers: Sequence[int], start: datetime, end: datetime) -> list[Span]:
    """Where something may have begun, and until it must have ended; what is not rolled up yet is looked at whole."""
    rolled = min(max(history.rolled_up_until(HOST_HOURS), start), end)
    spans = [Span(server, rolled, end) for server in servers] if rolled < end else []
    first = EPOCH + (start - EPOCH) // HOUR * HOUR
    about = {"servers": list(servers), "start": first, "end": rolled}
    statement = sql.SQL(HOURS).format(bound=_bound(watched), hours=sql.Identifier(HOST_HOURS))
    more = int(_tail(own) / HOUR) + 1
    for server, rows in groupby(fetched(statement, about), key=itemgetter(0)):
        spans += _hot(server, [(at, bound) for _server, at, bound in rows], watched, more)
    return _joined([one._replace(start=max(one.start, start), end=min(one.end, end)) for one in spans])


def _hot(server: int, hours: Sequence[tuple[datetime, float | None]], watched: Watched, more: int) -> Iterator[Span]:
    """The hours in which it may have been over, each with those after it that end it."""
    sign = -1 if watched.below else 1
    until = 0
    for place, (at, bound) in enumerate(hours):
        over = bound is not None and bound > sign * watched.limit
        stays = place < until and (bound is None or bound > sign * watched.clear)
        if over or stays:
            until = place + 1 + more
        if place < until:
            yield Span(server, at, at + HOUR)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and joined[-1].server == span.server and span.start <= joined[-1].end:
            joined[-1] = joined[-1]._replace(end=max(joined[-1].end, span.end))
        elif span.start < span.end:
            joined.append(span)
    return joined


def _levels(spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    """Which level each span is read from: coarse ones first, so that each server's samples stay in their order."""
    raw_from = timezone.now() - LEVELS[HOST_READINGS].kept
    recent = [one._replace(start=max(one.start, raw_from)) for one in spans if one.end > raw_from]
    if _hours(recent) > RAW_HOURS:
        raw_from = max(history.rolled_up_until(HOST_MINUTES), raw_from)
        recent = [one._replace(start=max(one.start, raw_from)) for one in spans if one.end > raw_from]
    older = [one._replace(end=min(one.end, raw_from)) for one in spans if one.start < raw_from]
    coarse = HOST_MINUTES if _hours(older) <= MINUTE_HOURS else HOST_HOURS
    return [(coarse, older), (HOST_READINGS, recent)]


def _hours(spans: Sequence[Span]) -> float:
    return sum((one.end - one.start) / HOUR for one in spans)


def _samples(
    watched: Watched, own: Conditions, level: str, spans: Sequence[Span]
) -> Iterator[tuple[int, float, float | None]]:
    """Server, seconds since the epoch and value, in the order of each server's time."""
    if not spans:
        return
    statement = sql.SQL(SAMPLES).format(
        sign=sql.SQL("-" if watched.below else ""),
        clear=sql.Literal(-watched.clear if watched.below else watched.clear),
        time=sql.Identifier("sampled_at" if level == HOST_READINGS else "at"),
        value=sql.SQL(_of(watched.metric, "" if level == HOST_READINGS else "_avg")),
        level=sql.Identifier(level),
    )
    about: dict[str, Any] = {
        "servers": [one.server for one in spans],
        "starts": [one.start for one in spans],
        "ends": [one.end for one in spans],
        "first": min(one.start for one in spans),
        "last": max(one.end for one in spans),
        "gap": timedelta(seconds=own.gap_sec or 0),
        "tail": _tail(own),
    }
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:  # numbers as bytes: there are many
        cursor.execute(statement, about, binary=True)
        yield from cursor


def _of(metric: str, part: str) -> str:
    return _names.sub(lambda name: f"{name[0]}{part}", kinds.READINGS[metric].sql)


def _bound(watched: Watched) -> sql.Composable:
    """At least as much as any sample of the hour, with its sign turned where lower is worse; or as little."""
    most, least = ("_min", "_max") if watched.below else ("_max", "_min")
    text = _names.sub(
        lambda name: f"{name[0]}{least if 'total_mb' in name[0] else most}", kinds.READINGS[watched.metric].sql
    )
    cpus = f"(SELECT (facts->>'cpuCount')::real FROM servers_newest WHERE server_id = {HOST_HOURS}.server_id)"  # noqa: S608
    text = re.sub(r"\bcpus\b", cpus, text)
    return sql.SQL(f"({'-' if watched.below else ''}({text}))::real")
