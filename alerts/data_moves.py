"""Moves of live incidents that what is measured makes, besides opening and closing them: no data, data again, worse.

Whoever calls is in a transaction, as with moves.py; each is one statement for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from alerts import states, timeline
from alerts.models import Incident
from pmonitor.rows import fetched

NO_DATA = """UPDATE alerts_incident SET no_data_since = told.at
    FROM unnest(%(numbers)s::bigint[], %(moments)s::timestamptz[]) AS told (number, at)
    WHERE id = told.number AND state = ANY(%(live)s) AND no_data_since IS NULL RETURNING id"""
DATA_AGAIN = """UPDATE alerts_incident SET no_data_since = NULL
    WHERE id = ANY(%(numbers)s) AND state = ANY(%(live)s) AND no_data_since IS NOT NULL RETURNING id"""
WORSE = """UPDATE alerts_incident SET worst = told.value
    FROM unnest(%(numbers)s::bigint[], %(values)s::float8[]) AS told (number, value)
    WHERE id = told.number AND state = ANY(%(live)s) RETURNING id"""


def no_data(moments: Mapping[int, datetime]) -> list[Incident]:
    """By incident the moment from which on nothing is known; returns those of which that was not noted yet."""
    values = {"numbers": list(moments), "moments": list(moments.values()), "live": list(states.LIVE)}
    made = _those(NO_DATA, values)
    timeline.note(states.NO_DATA, made, at=dict(moments))
    return made


def data_again(moments: Mapping[int, datetime]) -> list[Incident]:
    """By incident the first sample after nothing was known; returns those of which that had been noted."""
    made = _those(DATA_AGAIN, {"numbers": list(moments), "live": list(states.LIVE)})
    timeline.note(states.DATA_AGAIN, made, at=dict(moments))
    return made


def worse(values: Mapping[int, float]) -> None:
    """By incident the worst value so far. No line of the timeline: a value that climbs would write one a sample."""
    told = {"numbers": list(values), "values": list(values.values()), "live": list(states.LIVE)}
    timeline.announce(_those(WORSE, told))


def _those(statement: str, values: Mapping[str, object]) -> list[Incident]:
    moved = [number for (number,) in fetched(statement, values)]
    return list(Incident.objects.filter(pk__in=moved).select_related("rule", "server"))
