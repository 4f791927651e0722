"""The past of services' restarts, all that a rule means taken together: as service_times.find_together counts them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from alerts.evaluate import conditions
from alerts.evaluate.found import Seen
from alerts.evaluate.limits import REACHED, level_of
from alerts.evaluate.machine import Conditions
from alerts.evaluate.process_match import Units
from alerts.evaluate.service_counts import CAME_AND_WENT, Count, Happened, restarted
from alerts.models import Rule
from pmonitor.rows import fetched
from servers import history

PACE: Final = timedelta(minutes=1)  # how often is looked while what no event tells leaves the window
EVENTS: Final = f"""SELECT name, at, kind, (facts->>'restarts')::int, facts ? 'pidBefore' FROM {history.EVENTS}
    WHERE server_id = %s AND name <> '' AND at > %s AND at <= %s AND kind = ANY(%s) ORDER BY at, kind"""  # noqa: S608
Services = Mapping[str, list[Happened]]


def past(rule: Rule, server: int, start: datetime, end: datetime) -> Iterator[tuple[Conditions, Seen]]:
    """How often they were restarted within the window, at each moment that this changes."""
    params = conditions.params(rule)
    watched = conditions.of(rule)._replace(gap_sec=None)  # what happened is known without a gap
    window = timedelta(seconds=params.within_sec)
    services = _services(server, params.pattern, start - window, end)
    for at in _moments(services, window):
        if start < at <= end:
            times = int(sum(_restarted(happened, at, at - window) for happened in services.values()))
            yield watched, Seen(0, server, "", at, level_of(rule, times, REACHED), times)


def _services(server: int, pattern: str, start: datetime, end: datetime) -> Services:
    meant, found = Units([(0, pattern.casefold())]), defaultdict(list)
    for name, *event in fetched(EVENTS, [server, start, end, list(CAME_AND_WENT)]):
        if meant[name]:
            found[name].append(Happened(*event))
    return found


def _restarted(happened: Sequence[Happened], at: datetime, since: datetime) -> float:
    told = [one for one in happened if one.at <= at]
    return restarted(told, [Count(one.at, one.restarts) for one in told if one.restarts is not None], since)


def _moments(services: Services, window: timedelta) -> list[datetime]:
    """When something happened, when that leaves the window, and each minute between two counts that leave it."""
    found: set[datetime] = set()
    for happened in services.values():
        found.update(at for one in happened for at in (one.at, one.at + window))
        counted = [one.at for one in happened if one.restarts is not None]
        for before, after in pairwise(counted):
            at = before + window
            while at < after + window:
                found.add(at)
                at += PACE
    return sorted(found)
