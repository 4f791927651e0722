"""Moves of live incidents that what is measured makes, besides opening and closing them: no data, data again, worse.

Whoever calls is in a transaction, as with moves.py; each is one statement for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from alerts import states, timeline
from alerts.evaluate.found import WHY
from alerts.models import Incident
from pmonitor.rows import fetched

NO_DATA = """UPDATE alerts_incident
    SET no_data_since = coalesce(no_data_since, told.at), facts = alerts_incident.facts - 'noData' || told.facts
    FROM unnest(%(numbers)s::bigint[], %(moments)s::timestamptz[], %(facts)s::jsonb[]) AS told (number, at, facts)
    WHERE id = told.number AND state = ANY(%(live)s) AND (no_data_since IS NULL
        OR alerts_incident.facts->'noData'->>'why' IS DISTINCT FROM told.facts->'noData'->>'why') RETURNING id"""
DATA_AGAIN = """UPDATE alerts_incident SET no_data_since = NULL, facts = facts - 'noData'
    WHERE id = ANY(%(numbers)s) AND state = ANY(%(live)s) AND no_data_since IS NOT NULL RETURNING id"""
WORSE = """UPDATE alerts_incident SET worst = told.value
    FROM unnest(%(numbers)s::bigint[], %(values)s::float8[]) AS told (number, value)
    WHERE id = told.number AND state = ANY(%(live)s) RETURNING id"""


class Lost(NamedTuple):
    """From which moment on nothing is known; and why, as evaluate/found.py has it, None where nothing came."""

    at: datetime
    why: dict[str, Any] | None


def no_data(lost: Mapping[int, Lost]) -> list[Incident]:
    """By incident what was lost; returns those of which that, or why, was not noted yet."""
    facts = {number: {WHY: one.why} if one.why else {} for number, one in lost.items()}
    moments = {number: one.at for number, one in lost.items()}
    values = {
        "numbers": list(lost),
        "moments": list(moments.values()),
        "facts": [msgspec.json.encode(one).decode() for one in facts.values()],
        "live": list(states.LIVE),
    }
    made = _those(NO_DATA, values)
    timeline.note(states.NO_DATA, [one for one in made if not facts[one.pk]], at=moments)
    for one in made:
        if facts[one.pk]:
            timeline.note(states.NO_DATA, [one], at=moments, facts=facts[one.pk])
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
