"""Of what was measured again and again in the past, the points that a rule has to see to tell what it made of it.

Points of a subject that follow each other at one level are a run; only its first ones are told, until they have lasted
as long as the rule asks, and none before the first that is over. A gap, a silence and an absence of the hub begin a run
of their own, since what has to last lasts through none of them. So changes are read, however much was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from psycopg import sql

from alerts.evaluate import conditions, replay_silences
from alerts.evaluate.found import NO_DATA, UNDER, Seen
from alerts.evaluate.limits import ABOVE, BELOW, level_of
from alerts.evaluate.machine import IS_GONE, Conditions
from alerts.models import Rule
from pmonitor.rows import fetched
from servers.models import HubAbsence

FEW: Final = timedelta(minutes=5)
# points: server_id, subject, at, value; level: 2 over the limit, 1 over the clear limit, 0 well. breaks: that there is
# none of the subject in the next five minutes; gone_at tells when it was seen then that there is no such subject.
RUNS = """
WITH points AS ({points}), levels AS (
    SELECT *, CASE WHEN value {over} %(limit)s::float8 THEN 2 WHEN value {over} %(clear)s::float8 THEN 1 ELSE 0
        END AS level, date_bin(%(few)s, at, 'epoch') AS bin, width_bucket(at, %(cuts)s::timestamptz[]) AS part
    FROM points
), beside AS (
    SELECT *, lag(at) OVER one AS before, lead(bin) OVER one AS next_bin, max(level) OVER one = 2 AS was_over,
        (lag(level) OVER one, lag(part) OVER one) IS DISTINCT FROM (level, part)
            OR at - lag(at) OVER one > %(gap)s OR bin > lag(bin) OVER one + %(few)s AS begins
    FROM levels WINDOW one AS (PARTITION BY server_id, subject ORDER BY at)
), runs AS (
    SELECT *, max(at) FILTER (WHERE begins) OVER (PARTITION BY server_id, subject ORDER BY at) AS since,
        next_bin IS NULL OR next_bin > bin + %(few)s AS breaks
    FROM beside WHERE was_over
)
SELECT kept.server_id, kept.subject, kept.at, kept.value, {gone_at}
FROM (SELECT * FROM runs WHERE begins OR breaks OR %(each)s
    OR before < since + CASE level WHEN 2 THEN %(for)s WHEN 0 THEN %(clear_for)s END) AS kept
ORDER BY kept.server_id, kept.subject, kept.at"""
NEVER: Final = sql.SQL("NULL")


def seen(
    rule: Rule,
    watched: Conditions,
    servers: Sequence[int],
    stretch: tuple[datetime, datetime],
    points: sql.Composable,
    about: Mapping[str, Any],
    *,
    below: bool = False,
    gone_at: sql.Composable = NEVER,
) -> Iterator[tuple[Conditions, Seen]]:
    """What replay.Past wants, of points in SQL with its values; below: lower is worse."""
    start, end = stretch
    marked = {
        server: [one.marked for one in those] for server, those in replay_silences.silences(servers, start, end).items()
    }
    absences = HubAbsence.objects.filter(end__gt=start, start__lt=end).values_list("end", flat=True)
    limit = conditions.limit(rule)
    statement = sql.SQL(RUNS).format(points=points, over=sql.SQL("<" if below else ">"), gone_at=gone_at)
    values = {
        "limit": limit,
        "clear": limit if rule.clear_limit is None else rule.clear_limit,
        "few": FEW,
        "cuts": sorted({*absences, *(at for those in marked.values() for at in those), end + FEW}),
        "gap": timedelta(seconds=watched.gap_sec or 0),
        "each": watched.n is not None,  # of "k of n samples" each counts
        "for": timedelta(seconds=watched.for_sec),
        "clear_for": timedelta(seconds=watched.clear_for_sec),
    }
    rows = fetched(statement, {"servers": list(servers), "start": start, "end": end, **values, **about})
    for (server, subject), those in groupby(rows, key=itemgetter(0, 1)):
        quiet = iter([*marked.get(server, ()), None])
        silent_at = next(quiet)
        for _server, _subject, at, value, gone in those:
            while silent_at is not None and silent_at < at:
                yield watched, Seen(0, server, subject, silent_at, NO_DATA)
                silent_at = next(quiet)
            level = UNDER if value is None else level_of(rule, value, BELOW if below else ABOVE)
            yield watched, Seen(0, server, subject, at, level, value)
            if gone is not None:
                yield watched, Seen(0, server, subject, gone, UNDER, None, {IS_GONE: True})
