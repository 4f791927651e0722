"""The past of agents' clocks: raw readings are placed by the hub's clock, and have the agent's beside that.

Both differ by as much as the report's receipt and its sentAt do, which is what servers/clock_skew.py keeps of the last
reports. Agents that do not tell when they send have no skew, then as now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.utils import timezone
from psycopg import sql

from alerts.evaluate import conditions, replay_runs
from alerts.evaluate.found import Seen
from alerts.evaluate.machine import Conditions
from alerts.models import Rule
from servers import clock_skew, history
from servers.history import HOST_READINGS

# Of servers whose clock was off at all; the skew is that of the report that took least.
POINTS: Final = f"""SELECT server_id, '' AS subject, at,
        abs(min(skew) OVER (PARTITION BY server_id ORDER BY at, ts ROWS %(others)s PRECEDING)) AS value
    FROM (SELECT server_id, sampled_at AS at, ts, round(1000 * (date_part('epoch', sampled_at) - ts)) / 1000 AS skew
        FROM {HOST_READINGS} WHERE sampled_at > %(start)s AND sampled_at <= %(end)s AND server_id = ANY(ARRAY(
            SELECT r.server_id FROM {HOST_READINGS} r JOIN servers_newest n ON n.server_id = r.server_id
            WHERE r.server_id = ANY(%(servers)s) AND r.sampled_at > %(start)s AND r.sampled_at <= %(end)s
                AND abs(date_part('epoch', r.sampled_at) - r.ts) > %(limit)s - 0.001 AND n.skews <> '[]'
            GROUP BY 1))
    ) AS told"""  # noqa: S608  a name of our own


def since() -> datetime:
    """From when on clocks can be told."""
    return timezone.now() - history.LEVELS[HOST_READINGS].kept


def past(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Iterator[tuple[Conditions, Seen]]:
    """See replay.Past; of SKEW."""
    stretch = max(start, since()), end
    about = {"others": clock_skew.KEPT - 1}
    return replay_runs.seen(rule, conditions.of(rule), servers, stretch, sql.SQL(POINTS), about)
