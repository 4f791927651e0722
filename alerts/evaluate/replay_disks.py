"""The past of filesystems, as a rule about them would have seen it: by the point history has of each five minutes.

When one is full is told by the line that disks.py draws, here as moving sums: of numerics, which PostgreSQL can take
back out of a sum exactly; for regr_slope it would add up the six hours of each point anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import translate
from typing import Any, Final

from psycopg import sql

from alerts.evaluate import conditions, replay_runs
from alerts.evaluate.disks import MEASURED_WITHIN, OVER_LAST
from alerts.evaluate.found import Seen
from alerts.evaluate.machine import Conditions
from alerts.models import Rule
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import history
from servers.history import DISKS

MICROSECOND: Final = timedelta(microseconds=1)
MOUNTS = f"""SELECT DISTINCT mount FROM {DISKS}
    WHERE server_id = ANY(%(servers)s) AND at > %(start)s AND at <= %(end)s"""  # noqa: S608  a name of our own
USED = f"""SELECT server_id, mount AS subject, at,
        CASE WHEN total_mb = 0 THEN 0 ELSE 100 * used_mb / total_mb END AS value
    FROM {DISKS} WHERE server_id = ANY(%(servers)s) AND at > %(start)s AND at <= %(end)s AND {{meant}}"""  # noqa: S608
# n points with the sums of x (seconds), y (MB) and their products make the line; x counts from the stretch's begin.
FILLING = f"""SELECT server_id, mount AS subject, at, CASE WHEN rise > 0 THEN
        greatest(0, (total_mb - (sum_y + rise * (n * x - sum_x)) / n) / rise / 3600) END AS value
    FROM (SELECT server_id, mount, at, x, total_mb, n, sum_x, sum_y,
            CASE WHEN s_xx > 0 THEN s_xy / s_xx END AS rise
        FROM (SELECT server_id, mount, at, x::float8, total_mb, count(*) OVER last AS n,
                (sum(x) OVER last)::float8 AS sum_x, (sum(y) OVER last)::float8 AS sum_y,
                (count(*) OVER last * sum(x * x) OVER last - sum(x) OVER last * sum(x) OVER last)::float8 AS s_xx,
                (count(*) OVER last * sum(x * y) OVER last - sum(x) OVER last * sum(y) OVER last)::float8 AS s_xy
            FROM (SELECT *, extract(epoch FROM at - %(start)s) AS x, round(used_mb::numeric, 6) AS y FROM {DISKS}
                WHERE server_id = ANY(%(servers)s) AND at > %(start)s - %(recent)s AND at <= %(end)s AND {{meant}}
            ) AS points WINDOW last AS (PARTITION BY server_id, mount ORDER BY at
                RANGE BETWEEN %(recent)s PRECEDING AND CURRENT ROW) OFFSET 0
        ) AS summed WHERE at > %(start)s
    ) AS lines OFFSET 0"""  # noqa: S608
CURVE = "SELECT min(at), max(value) FROM ({}) AS told GROUP BY date_bin(%(step)s, at, 'epoch') ORDER BY 1"
# Where the server's other filesystems were measured in a gap of this one, it was gone.
GONE = f"""(SELECT min(other.at) FROM {DISKS} AS other WHERE kept.breaks AND other.server_id = kept.server_id
    AND other.at >= kept.bin + %(few)s AND other.at <= %(end)s AND other.at < coalesce(kept.next_bin, 'infinity'))"""  # noqa: S608
POINTS: Final = {kinds.DISK_USED: USED, kinds.DISK_FILLING: FILLING}


def past(rule: Rule, servers: Sequence[int], start: datetime, end: datetime) -> Iterator[tuple[Conditions, Seen]]:
    """See replay.Past; of DISK_USED and DISK_FILLING. Points are few: "k of n samples" is asked of each."""
    watched = conditions.of(rule)._replace(k=None, n=None, gap_sec=MEASURED_WITHIN.total_seconds())
    about: dict[str, Any] = {"servers": list(servers), "start": start, "end": end, "recent": OVER_LAST - MICROSECOND}
    meant, pattern = sql.SQL("true"), conditions.params(rule).mount
    if pattern != "*":
        fits = re.compile(translate(pattern)).match
        about["mounts"] = [mount for (mount,) in fetched(MOUNTS, about) if fits(mount)]
        meant = sql.SQL("mount = ANY(%(mounts)s)")
    points = sql.SQL(POINTS[rule.kind]).format(meant=meant)
    below, gone_at = rule.kind == kinds.DISK_FILLING, sql.SQL(GONE)
    return replay_runs.seen(rule, watched, servers, (start, end), points, about, below=below, gone_at=gone_at)


def curve(server: int, mount: str, start: datetime, end: datetime, points: int) -> list[tuple[datetime, float]]:
    """How full a filesystem was, in percent, of so many steps the most each; when each was."""
    step = history.step_for((end - start).total_seconds(), points)
    about = {"servers": [server], "start": start, "end": end, "mount": mount, "step": timedelta(seconds=step)}
    told = sql.SQL(USED).format(meant=sql.SQL("mount = %(mount)s"))
    return [(at, value) for at, value in fetched(sql.SQL(CURVE).format(told), about)]
