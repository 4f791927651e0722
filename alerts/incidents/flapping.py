"""Subjects that come and go: their incident stays open until they have been well for a while.

The third opening within half an hour flaps. From then on what the rule says of the subject moves nothing but its count
and `calm_since`; it is live all the time. So nobody is told each time it comes back, but what nobody took on is still
escalated. Changes flapping, flapping_since, calm_since and reopened, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Q

from alerts import states
from alerts.incidents import locking
from alerts.models import Incident
from alerts.timeline import announce
from pmonitor.rows import fetched

if TYPE_CHECKING:
    from alerts.moves import Closing, Opening

TIMES, WITHIN = 3, timedelta(minutes=30)  # so many openings of one subject in so long: it flaps
QUIET = timedelta(minutes=15)  # well for so long: it is over

Key = tuple[int, int | None, str]  # rule, server, subject
FLAPS = """
    UPDATE alerts_incident AS incident
    SET flapping = true, flapping_since = flap.since, reopened = flap.times - 1
    FROM unnest(%(numbers)s::bigint[], %(sinces)s::timestamptz[], %(times)s::int[]) AS flap (number, since, times)
    WHERE incident.id = flap.number
"""
CALM = """
    UPDATE alerts_incident AS incident
    SET calm_since = coalesce(incident.calm_since, calm.at), no_data_since = NULL, facts = incident.facts - 'noData'
    FROM unnest(%(numbers)s::bigint[], %(ats)s::timestamptz[]) AS calm (number, at)
    WHERE incident.id = calm.number AND incident.flapping AND incident.state = ANY(%(live)s)
    RETURNING incident.id
"""


def recognise(made: Sequence[Incident]) -> list[Incident]:
    """Mark those of the new incidents whose subject opened too often; returns them."""
    openings = _openings(made)
    found = []
    for one in made:
        start = one.opened_at - WITHIN
        times = [at for at in openings[one.rule_id, one.server_id, one.subject] if start < at <= one.opened_at]
        if len(times) >= TIMES:
            one.flapping, one.flapping_since, one.reopened = True, min(times), len(times) - 1
            found.append(one)
    if found:
        numbers, sinces = [one.pk for one in found], [one.flapping_since for one in found]
        times_of = [one.reopened + 1 for one in found]
        _write(FLAPS, {"numbers": numbers, "sinces": sinces, "times": times_of})
    return found


def come_back(openings: Sequence[Opening]) -> set[Key]:
    """Count those that are over the limit again in the incident they have; returns the subjects with a live one."""
    numbers = [one.pk for one in _live(openings)]
    locking.wholes_of(numbers)
    locking.each(numbers)
    live = _live(openings)
    back = [one.pk for one in live if one.calm_since]
    if back:
        Incident.objects.filter(pk__in=back).update(calm_since=None, reopened=F("reopened") + 1)
        announce([one for one in live if one.calm_since])
    return {_key(one) for one in live}


def calm(cleared: Mapping[int, datetime]) -> set[int]:
    """Note that these are well again, those of them that flap; returns their numbers. They are locked."""
    if not cleared:
        return set()
    values = {"numbers": list(cleared), "ats": list(cleared.values()), "live": list(states.LIVE)}
    found = {number for (number,) in fetched(CALM, values)}
    if found:
        announce(list(Incident.objects.filter(pk__in=found)))
    return found


def still_calm(closings: Collection[Closing]) -> set[int]:
    """Those that have been well until the moment at which they shall close. They are locked."""
    ends = {one.incident: one.at for one in closings}
    rows = Incident.objects.filter(pk__in=ends, calm_since__isnull=False).values_list("pk", "calm_since")
    return {number for number, since in rows if since and since + QUIET <= ends[number]}


def _openings(made: Sequence[Incident]) -> dict[Key, list[datetime]]:
    """When each subject opened lately, the new incidents among them; those that a person closed do not count."""
    rows = Incident.objects.filter(
        Q(close_reason=states.CLEARED) | Q(state__in=states.LIVE),
        rule__in={one.rule_id for one in made},
        server__in={one.server_id for one in made},
        opened_at__gt=min(one.opened_at for one in made) - WITHIN,
    ).values_list("rule", "server", "subject", "opened_at")
    found: dict[Key, list[datetime]] = defaultdict(list)
    for rule, server, subject, at in rows:
        found[rule, server, subject].append(at)
    return found


def _live(openings: Sequence[Opening]) -> list[Incident]:
    keys = {(one.rule.pk, one.server, one.subject) for one in openings}
    rules, servers = {rule for rule, _server, _subject in keys}, {server for _rule, server, _subject in keys}
    found = Incident.objects.live().filter(rule__in=rules, server__in=servers)
    return [one for one in found if _key(one) in keys]


def _key(one: Incident) -> Key:
    return one.rule_id, one.server_id, one.subject


def _write(sql: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
