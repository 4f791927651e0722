"""Which samples no round has looked at yet, of each server; each is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.evaluate.found import Fresh
from pmonitor.rows import fetched

MOST_SEC = 1_000_000  # of all servers together in one round: what there is to catch up with comes in several
SLICE = timedelta(minutes=5)  # of each server's samples, then
DRIFT = timedelta(seconds=2)  # clocks of two workers may differ by so much
AGAIN = timedelta(seconds=30)  # of a clock set back: so much is looked at as if nothing had been

# A sample of the future is of a clock that was set back since: it is looked at when its time has come. What was looked
# at in that future does not hold up what is reported now.
FIND = """SELECT server_id, after, until
FROM (
    SELECT newest.server_id,
        CASE WHEN looked.at > %(now)s + %(drift)s THEN %(now)s - %(again)s
            ELSE least(greatest(looked.at, %(floor)s), %(now)s) END AS after,
        least(newest.sampled_at, %(now)s) AS until
    FROM servers_newest newest LEFT JOIN alerts_looked looked ON looked.server_id = newest.server_id
) AS fresh WHERE until > after"""
NOTE = """INSERT INTO alerts_looked (server_id, at)
SELECT server, moment FROM unnest(%(servers)s::bigint[], %(moments)s::timestamptz[]) AS now (server, moment)
JOIN servers_server ON servers_server.id = server
ON CONFLICT (server_id) DO UPDATE SET at = excluded.at RETURNING server_id"""


def find(floor: datetime, now: datetime) -> tuple[list[Fresh], bool]:
    """The servers with samples after floor that were not looked at, and from when to when these are.

    And whether there are too many for one round: then these are the first of them.
    """
    fresh = [Fresh(*row) for row in fetched(FIND, {"floor": floor, "now": now, "drift": DRIFT, "again": AGAIN})]
    if sum((one.until - one.after).total_seconds() for one in fresh) <= MOST_SEC:
        return fresh, False
    cut = [one._replace(until=min(one.until, one.after + SLICE)) for one in fresh]
    return cut, cut != fresh


def note(fresh: Sequence[Fresh]) -> None:
    """These samples were looked at."""
    if fresh:
        fetched(NOTE, {"servers": [one.server for one in fresh], "moments": [one.until for one in fresh]})
