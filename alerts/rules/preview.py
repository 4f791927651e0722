"""What a rule would have done in the last days, had it been there: episodes out of history, drawn on the worst server.

The same engine that evaluates rules tells them (alerts.evaluate.replay); nothing is kept of it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.db.models import Min
from django.urls import reverse
from django.utils import timezone

from alerts import words
from alerts.evaluate import holding, replay
from alerts.evaluate.holding import Holds
from alerts.evaluate.replay import Episode
from alerts.models import Rule
from alerts.rules import disk_curve, kinds, limit_line, page, process_curve, sentence, wanted
from alerts.rules.limit_line import Drawn
from alerts.rules.wanted import Wanted
from pmonitor.visible import visible
from servers import curves, history, moments, past_readings
from servers.curves import Axis
from servers.models import Newest, Server

BACK: Final = timedelta(days=7)
MOST_SERVERS: Final = 500  # are looked at: a second or two
LOOK_SEC: Final = 4  # where each server is much to look at, no other one is begun after that
MOST_OF: Final = {kinds.DISK_FILLING: 50, kinds.SKEW: 100}  # kinds that take longer
SHOWN: Final = 10  # episodes
POINTS: Final = 240
AT_ONCE: Final = 2  # in a web process; more wait
PATIENCE_SEC: Final = 10
_places = threading.BoundedSemaphore(AT_ONCE)


class Told(NamedTuple):
    """What would have been: episodes, newest first, None where history cannot tell this kind; of which servers.

    since: when the kind's history begins, where that is later than start. now: how it stands, where nothing else tells.
    """

    start: datetime
    end: datetime
    matching: int
    looked_at: list[int]
    episodes: list[Episode] | None
    since: datetime | None = None
    now: Holds | None = None


def find(user: Any, given: Wanted, end: datetime | None = None) -> Told | None:
    """Replay the rule over the last days of the user's servers; None while others' previews keep the hub busy."""
    end = end or timezone.now()
    matching = page.servers_of(user, given.scope)
    looked_at, start = matching[: MOST_OF.get(given.kind, MOST_SERVERS)], end - BACK
    if not _places.acquire(timeout=PATIENCE_SEC):
        return None
    try:
        rule = _rule(given, end)
        found = replay.replay_until(rule, looked_at, start, end, spent(LOOK_SEC))
        told_now = kinds.KINDS[given.kind].group != kinds.PROCESS and found is None
        now = holding.holding(rule, looked_at, end) if told_now else None
    finally:
        _places.release()
    episodes, looked_at = found or (None, looked_at)
    if episodes is not None:
        episodes = sorted(episodes, key=lambda one: one.opened_at, reverse=True)
    since = replay.SINCE[given.kind]() if given.kind in replay.SINCE else start
    return Told(start, end, len(matching), looked_at, episodes, since if since > start else None, now)


def spent(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds from now on are over."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def context(user: Any, given: Wanted) -> dict[str, Any]:
    """What `_rule_preview.html` shows of a form's rule, what it watches for being right."""
    told = find(user, given)
    if told is None:
        return {"preview_busy": True}
    if told.episodes is None:
        return {"preview_unknown": True, "preview_now": _now(told)}
    hosts = dict(Server.objects.filter(pk__in=told.looked_at).values_list("pk", "hostname"))
    worst = replay.longest(told.episodes, told.end, attrgetter("server"))
    return {
        "preview": {
            "fired": len(told.episodes),
            "servers": len({one.server for one in told.episodes}),
            "matching": told.matching,
            "looked_at": len(told.looked_at),
            "begins": _begins(told),
            "since": told.since,
            "acted": acted(given, told.episodes),
            "days": BACK.days,
            "rows": _rows(told),
            "more": max(0, len(told.episodes) - SHOWN),
            "chart": _chart(given, told, worst, hosts) if worst else None,
        }
    }


def acted(given: Wanted, episodes: Sequence[Episode]) -> int:
    """How often it would have acted by itself, within its budget."""
    if not given.remedy_cmd:
        return 0
    times: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    for one in sorted(episodes, key=lambda one: one.opened_at):
        before = times[one.server, given.remedy_target or one.subject]
        within = [at for at in before if one.opened_at - at < timedelta(seconds=given.remedy_within_sec)]
        cool = not before or (one.opened_at - before[-1]).total_seconds() >= given.remedy_cooldown_sec
        if len(within) < given.remedy_most and cool:
            before.append(one.opened_at)
    return sum(map(len, times.values()))


def _rows(told: Told) -> list[dict[str, Any]]:
    episodes = (told.episodes or [])[:SHOWN]
    servers = Server.objects.in_bulk({one.server for one in episodes})
    return [_row(one, servers[one.server], told.end) for one in episodes if one.server in servers]


def _row(one: Episode, server: Server, end: datetime) -> dict[str, Any]:
    address = reverse("servers:detail", args=[server.agent_id])
    return {
        "host": visible(server.hostname),
        "subject": visible(one.subject),
        "at": one.opened_at,
        "url": f"{address}?at={moments.written(one.opened_at)}",
        "seconds": ((one.closed_at or end) - one.opened_at).total_seconds(),
        "open": one.closed_at is None,
    }


def _begins(told: Told) -> datetime | None:
    """When the servers' history begins, where that is later than what is looked at."""
    first: datetime | None = Server.objects.filter(pk__in=told.looked_at).aggregate(first=Min("enrolled_at"))["first"]
    return first if first and first > told.start else None


def _now(told: Told) -> dict[str, int] | None:
    if told.now is None or not told.now.heard:
        return None
    about = {"holds": len(told.now.servers), "heard": told.now.heard}
    return {**about, "looked_at": len(told.looked_at), "matching": told.matching}


def _chart(given: Wanted, told: Told, worst: int, hosts: dict[int, str]) -> dict[str, Any]:
    """The worst server's episodes, and of what is measured its curve with the limit."""
    axis = Axis(told.start, told.end, timedelta(0))
    there = [one for one in told.episodes or [] if one.server == worst]
    made: dict[str, Any] = {
        "host": visible(hosts.get(worst, "")),
        "fired": [_span(one, axis) for one in there],
        "what": sentence.condition(given),
    }
    if given.kind == kinds.DISK_USED and given.limit is not None:
        mount = replay.longest(there, told.end, attrgetter("subject")) or ""
        made |= {
            "mount": visible(mount),
            "fired": [_span(one, axis) for one in there if one.subject == mount],
            "drawing": disk_curve.drawn(worst, mount, axis, given.limit, POINTS),
            "limit": words.limit(given.kind, given.limit, given.params),
        }
    metric = str(given.params.get("metric", ""))
    if given.kind == kinds.READING and given.limit is not None and (drawn := _curve(given, metric, worst, told)):
        made |= {"drawing": drawn, "limit": words.limit(given.kind, given.limit, given.params)}
    if given.kind in (kinds.PROCESS_CPU, kinds.PROCESS_MEMORY):
        drawn = process_curve.drawn(_rule(given, told.end), worst, told.start, told.end, POINTS)
        made |= {"drawing": drawn, "limit": words.limit(given.kind, given.limit, given.params)}
    return made


def _rule(given: Wanted, made_at: datetime) -> Rule:
    """Not saved."""
    return Rule(**wanted.columns(wanted.whole(given)), made_at=made_at)


def _span(one: Episode, axis: Axis) -> dict[str, str]:
    left = max(0.0, axis.x(one.opened_at))
    return {"x": f"{left:.1f}", "width": f"{max(2.0, axis.x(one.closed_at or axis.end) - left):.1f}"}


def _curve(given: Wanted, metric: str, server: int, told: Told) -> Drawn | None:
    limit, name = given.limit or 0.0, metric
    if metric == "load1PerCpu":  # history has the load, and the server tells its processors
        name, limit = "load1", limit * _cores(server)
    if name not in history.METRICS:
        return None
    found = past_readings.readings(server, told.start, told.end, POINTS, [name])
    points = found.series[name]
    percent = kinds.READINGS[metric].unit == "%"
    top = 100 if percent else curves.round_up(max([limit * 1.1, 1, *(point.max for point in points)]))
    axis = Axis(told.start, told.end, timedelta(seconds=1.5 * found.step))
    values = [(max(point.t, told.start), point.avg) for point in points]
    return limit_line.drawn(
        limit,
        top,
        ("band", curves.band(points, top, axis)),
        ("a", curves.area(values, top, axis)),
    )


def _cores(server: int) -> float:
    facts = Newest.objects.filter(server=server).values_list("facts", flat=True).first() or {}
    return float(facts.get("cpuCount") or 1)
