"""Opens and closes incidents. What people do with them is in person_moves.py; no other module changes one, except for
what incidents/grouping.py, incidents/flapping.py and quiet/covering.py say of themselves.

Each move is a conditional update with its line of the timeline. Whoever calls is in a transaction with what makes it
move (the standing, the audit entry). Listeners are told in it (timeline.py), after grouping: of many servers at once
they hear of one incident, and of those that flap of the first opening and the last closing alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.utils import timezone

from alerts import states
from alerts.incidents import flapping, grouping, locking
from alerts.models import Incident, Rule
from alerts.quiet import covering
from alerts.timeline import LISTENERS as LISTENERS
from alerts.timeline import OutsideTransaction as OutsideTransaction
from alerts.timeline import announce as announce
from alerts.timeline import in_transaction, note
from pmonitor.rows import fetched

CLOSE = """
    UPDATE alerts_incident AS incident
    SET state = 'closed', closed_at = ending.at, close_reason = ending.reason, snoozed_until = NULL,
        no_data_since = NULL, facts = incident.facts - 'noData'
    FROM unnest(%(numbers)s::bigint[], %(ats)s::timestamptz[], %(reasons)s::text[]) AS ending (number, at, reason)
    WHERE incident.id = ending.number AND incident.state = ANY(%(live)s)
    RETURNING incident.id
"""


class Opening(NamedTuple):
    """A subject whose rule fires."""

    rule: Rule
    server: int
    subject: str
    began_at: datetime  # the first sample over the limit
    at: datetime  # the sample with which it fires
    value: float | None
    facts: dict[str, Any]


class Closing(NamedTuple):
    """A live incident that is over, at which sample, and why (of states.CLOSE_REASONS)."""

    incident: int
    at: datetime
    reason: str


def open_(openings: Iterable[Opening]) -> list[Incident]:
    """Open incidents; returns the new ones. A subject that has a live one gets none: whoever came first opened it.

    Openings of one call are of different subjects. One that flaps comes back in the incident that it has.
    """
    in_transaction()
    now = timezone.now()
    made = _made(sorted(openings, key=lambda one: (one.rule.pk, one.server, one.subject)), now)
    if not made:
        return []
    flaps = flapping.recognise(made)
    silenced = covering.cover(made, now)
    groups = grouping.gather(made, now)
    wholes = [group.whole for group in groups if group.new]
    opened = [*wholes, *made]
    note(states.OPENED, opened, at={one.pk: one.opened_at for one in opened})
    note(states.FLAPPING, flaps)
    note(states.SILENCED, [*silenced, *(whole for whole in wholes if whole.silence_id)])
    grouping.tell(groups)
    covering.settle_wholes([group.whole.pk for group in groups if not group.new])
    return made


def close(closings: Iterable[Closing], actor: str = "", text: str = "") -> list[Incident]:
    """Close live incidents; returns those that this closed, also those of many servers whose last member it was.

    One that flaps and has cleared stays live until it has been well for a while: incidents/endings.py closes it then.
    """
    in_transaction()
    wanted = {one.incident: one for one in closings}
    wholes = locking.wholes_of(wanted)
    locking.each(wanted)
    cleared = {one.incident: one.at for one in wanted.values() if one.reason == states.CLEARED}
    calm = flapping.calm(cleared)
    return _close([one for one in wanted.values() if one.incident not in calm], wholes, actor, text)


def close_calm(closings: Sequence[Closing]) -> list[Incident]:
    """Close live incidents that flapped and have been well for long enough; returns like `close`."""
    in_transaction()
    numbers = [one.incident for one in closings]
    wholes = locking.wholes_of(numbers)
    locking.each(numbers)
    still = flapping.still_calm(closings)
    return _close([one for one in closings if one.incident in still], wholes)


def close_emptied(wholes: Sequence[int]) -> list[Incident]:
    """Close those of these incidents of many servers that no live member is left of; they are locked."""
    in_transaction()
    return _ended(_lessened(wholes))


def wake(incidents: Sequence[Incident], actor: str = "") -> None:
    """End the snoozes of these, which are locked: listeners hear of them again."""
    in_transaction()
    Incident.objects.filter(pk__in=[one.pk for one in incidents]).update(snoozed_until=None)
    for one in incidents:
        one.snoozed_until = None
    note(states.WOKEN, incidents, actor=actor)


def _close(closings: Sequence[Closing], wholes: Sequence[int], actor: str = "", text: str = "") -> list[Incident]:
    """Close what is locked already, then those of these wholes that nothing live is left of."""
    if not closings:
        return []
    columns = {
        "numbers": [one.incident for one in closings],
        "ats": [one.at for one in closings],
        "reasons": [one.reason for one in closings],
        "live": list(states.LIVE),
    }
    closed = [number for (number,) in fetched(CLOSE, columns)]
    return _ended(closed + (_lessened(wholes) if closed else []), actor, text)


def _lessened(wholes: Sequence[int]) -> list[int]:
    """Of wholes that have lost members: close the empty ones, which are returned; acknowledge what is left so."""
    emptied = grouping.close_emptied(wholes)
    settled = grouping.take_settled(set(wholes) - set(emptied))
    for one in Incident.objects.filter(pk__in=settled).select_related("rule") if settled else []:
        note(states.TAKEN, [one], actor=one.acknowledged_by_name)
    return emptied


def _ended(closed: Sequence[int], actor: str = "", text: str = "") -> list[Incident]:
    found = list(Incident.objects.filter(pk__in=closed).select_related("rule", "server")) if closed else []
    note(states.ENDED, found, actor=actor, text=text, at={one.pk: one.closed_at for one in found})
    return found


def _made(openings: Sequence[Opening], now: datetime) -> list[Incident]:
    """The new incidents. Of those that were not needed, what flaps comes back; one that ended meanwhile opens anew."""
    made: list[Incident] = []
    for _try in range(2):
        wanted = [_incident(opening, now) for opening in openings]
        Incident.objects.bulk_create(wanted, ignore_conflicts=True)
        new = list(Incident.objects.filter(uuid__in=[one.uuid for one in wanted]).select_related("rule", "server"))
        made += new
        openings = _left(openings, new) if len(new) < len(wanted) else []
        if not openings:
            break
        live = flapping.come_back(openings)
        openings = [one for one in openings if (one.rule.pk, one.server, one.subject) not in live]
        if not openings:
            break
    return made


def _left(openings: Sequence[Opening], new: Sequence[Incident]) -> list[Opening]:
    have = {(one.rule_id, one.server_id, one.subject) for one in new}
    return [one for one in openings if (one.rule.pk, one.server, one.subject) not in have]


def _incident(opening: Opening, now: datetime) -> Incident:
    rule = opening.rule
    return Incident(
        rule=rule,
        rule_name=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        server_id=opening.server,
        subject=opening.subject,
        began_at=opening.began_at,
        opened_at=opening.at,
        recorded_at=now,
        value=opening.value,
        worst=opening.value,
        facts=opening.facts,
        capsule_due=now,
    )
