"""Finds filesystems that are full, or that will be within so many hours if they go on as in the last six.

When one is full is told as Prometheus' predict_linear does: by the straight line of least squares through what was
used, five minutes apart, as of the newest measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fnmatch import translate
from typing import Any, Final, NamedTuple

import msgspec

from alerts.evaluate.found import NO_DATA, OVER, UNDER, Aim, Finder, Seen, Stretch
from alerts.evaluate.limits import ABOVE, BELOW, level_of
from alerts.models import Standing
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import history, states

OVER_LAST: Final = timedelta(hours=6)
MEASURED_WITHIN: Final = timedelta(minutes=15)  # an older measurement tells nothing any more
# A report that was stored while a round ran is found by the one after; to look twice at a measurement is harmless.
MARGIN: Final = timedelta(seconds=12)

# Of servers with something new in the stretch, and of silent ones of which something stands.
HEARD = """SELECT n.server_id, n.disks_at, s.state = %(silent)s OR n.disks_at <= n.sampled_at - %(within)s,
        CASE WHEN s.state <> %(silent)s THEN n.disks END
    FROM servers_newest n JOIN servers_server s ON s.id = n.server_id
    WHERE n.server_id = ANY(%(servers)s) AND n.disks_at IS NOT NULL
        AND (n.disks_at > %(measured)s OR n.server_id = ANY(%(standing)s))
        AND (s.state = %(silent)s OR (n.received_at > %(after)s AND n.received_at <= %(until)s))"""
# The line as of the newest measurement; where nothing stands, it is drawn only when there is a new point.
LINES = f"""SELECT one.server, one.mount, regr_intercept(used_mb, seconds), regr_slope(used_mb, seconds)
    FROM unnest(%(servers)s::bigint[], %(mounts)s::text[], %(ats)s::timestamptz[], %(stands)s::bool[])
        AS one (server, mount, at, stands)
    JOIN LATERAL (SELECT u.used_mb, extract(epoch FROM u.at - one.at)::float8 AS seconds FROM {history.DISKS} u
        WHERE u.server_id = one.server AND u.mount = one.mount AND u.at > one.at - %(last)s AND u.at <= one.at
    ) AS line ON true
    WHERE one.stands OR EXISTS (SELECT FROM {history.DISKS} p
        WHERE p.server_id = one.server AND p.mount = one.mount AND p.at = one.at)
    GROUP BY one.server, one.mount"""  # noqa: S608  a name of our own
Mount = tuple[int, str]  # of a server


class Disk(NamedTuple):
    """A filesystem as last measured."""

    server: int
    mount: str
    at: datetime
    used_mb: float
    total_mb: float

    @property
    def percent(self) -> float:
        """How full it is; one of no size is not."""
        return 100 * self.used_mb / self.total_mb if self.total_mb else 0.0


class Line(NamedTuple):
    """A straight line: its height at the newest measurement in MB, and by how many MB a second it rises."""

    height: float
    steep: float


class Told(NamedTuple):
    """How a filesystem stands to a rule."""

    level: str
    value: float | None
    facts: dict[str, Any]


class Measured(NamedTuple):
    """What was heard in a round."""

    disks: dict[Mount, Disk]
    known: dict[int, datetime]  # servers with all their disks, and when those were measured
    unknown: set[int]  # silent, or nothing is measured any more


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    """A finder of the kinds in FINDERS. A filesystem that is no longer told is well, with the fact "gone"."""
    stands = {(one.rule_id, one.server_id, one.subject): one for one in standings}
    measured = _measured(aims, stretch, standings)
    for (rule, server, mount), standing in stands.items():
        if server in measured.unknown:
            yield Seen(rule, server, mount, stretch.until, NO_DATA)
        elif (server, mount) not in measured.disks and standing.at < measured.known.get(server, standing.at):
            yield Seen(rule, server, mount, measured.known[server], UNDER, facts={"gone": True})
    meant = [(aim, disk) for aim in aims for disk in _meant(aim, measured.disks.values())]
    followed = {(server, mount) for _rule, server, mount in stands}
    lines = _lines({disk for aim, disk in meant if aim.rule.kind == kinds.DISK_FILLING}, followed)
    for aim, disk in meant:
        stood = stands.get((aim.rule.pk, disk.server, disk.mount))
        told = TOLD[aim.rule.kind](aim, disk, lines)
        if stood.at < disk.at if stood else told.level == OVER:
            facts = {"limit": aim.rule.limit} | told.facts
            yield Seen(aim.rule.pk, disk.server, disk.mount, disk.at, told.level, told.value, facts)


def _measured(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Measured:
    about = {
        "servers": sorted(frozenset().union(*(aim.servers for aim in aims))),
        "standing": sorted({one.server_id for one in standings}),
        "measured": stretch.after - MARGIN,
        "within": MEASURED_WITHIN,
        "silent": states.SILENT,
        "after": stretch.after,
        "until": stretch.until,
    }
    found = Measured({}, {}, set())
    for server, at, unknown, disks in fetched(HEARD, about) if aims else []:
        if unknown or disks is None:
            found.unknown.add(server)
            continue
        found.known[server] = at
        for one in msgspec.json.decode(disks):
            found.disks[server, one["mount"]] = Disk(server, one["mount"], at, one["usedMB"], one["totalMB"])
    return found


def _meant(aim: Aim, disks: Any) -> Iterator[Disk]:
    fits, servers = re.compile(translate(msgspec.convert(aim.rule.params, kinds.Mount).mount)).match, set(aim.servers)
    return (disk for disk in disks if disk.server in servers and fits(disk.mount))


def _lines(disks: set[Disk], followed: set[Mount]) -> dict[Mount, Line]:
    if not disks:
        return {}
    servers, mounts, ats = ([getattr(disk, name) for disk in disks] for name in ("server", "mount", "at"))
    stands = [(disk.server, disk.mount) in followed for disk in disks]
    about = {"servers": servers, "mounts": mounts, "ats": ats, "stands": stands, "last": OVER_LAST}
    return {(row[0], row[1]): Line(row[2], row[3]) for row in fetched(LINES, about) if row[3] is not None}


def _used(aim: Aim, disk: Disk, _lines: Mapping[Mount, Line]) -> Told:
    return Told(level_of(aim.rule, disk.percent, ABOVE), disk.percent, {})


def _filling(aim: Aim, disk: Disk, lines: Mapping[Mount, Line]) -> Told:
    facts, line = {"used": round(disk.percent, 1)}, lines.get((disk.server, disk.mount))
    if line is None or line.steep <= 0:
        return Told(UNDER, None, facts)  # it does not grow
    hours = max(0.0, (disk.total_mb - line.height) / line.steep / 3600)
    return Told(level_of(aim.rule, hours, BELOW), hours, facts)


TOLD: Final[dict[str, Callable[[Aim, Disk, Mapping[Mount, Line]], Told]]] = {
    kinds.DISK_USED: _used,
    kinds.DISK_FILLING: _filling,
}
FINDERS: Final[dict[str, Finder]] = dict.fromkeys(TOLD, find)
