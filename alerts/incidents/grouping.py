"""Many servers at once are one incident, of which theirs are members: fifty servers lost are told of once.

When a rule has opened incidents on enough servers within a short time, they become members of one without a server (the
whole). What the rule opens later joins it for as long as it is live, and opens it again if it was acknowledged. Members
close one by one, the whole with the last of them. Makes, counts and closes wholes, and changes `whole` of members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count

from alerts import states
from alerts.models import Incident
from alerts.rules import kinds
from alerts.timeline import note
from pmonitor.rows import fetched

SERVERS, WITHIN = 5, timedelta(seconds=60)  # so many servers of one rule in so long: they are one incident
LESS_IS_WORSE = (kinds.DISK_FILLING, kinds.MISSING)  # and readings with a lower limit
GIVEN_BACK = {
    "state": states.OPEN,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "acknowledged_by_name": "",
}
CLOSE_EMPTIED = """
    UPDATE alerts_incident AS whole
    SET state = 'closed', snoozed_until = NULL,
        closed_at = coalesce((SELECT max(closed_at) FROM alerts_incident WHERE whole_id = whole.id), now()),
        close_reason = coalesce((SELECT close_reason FROM alerts_incident WHERE whole_id = whole.id
                                 ORDER BY closed_at DESC LIMIT 1), 'gone')
    WHERE whole.id = ANY(%(wholes)s) AND whole.state = ANY(%(live)s)
      AND NOT EXISTS (SELECT FROM alerts_incident WHERE whole_id = whole.id AND state = ANY(%(live)s))
    RETURNING whole.id
"""


TAKE_SETTLED = """
    UPDATE alerts_incident AS whole
    SET state = 'acknowledged', acknowledged_at = now(), acknowledged_by_id = last.acknowledged_by_id,
        acknowledged_by_name = last.acknowledged_by_name
    FROM (SELECT DISTINCT ON (whole_id) whole_id, acknowledged_by_id, acknowledged_by_name FROM alerts_incident
          WHERE whole_id = ANY(%(wholes)s) AND state = 'acknowledged'
          ORDER BY whole_id, acknowledged_at DESC, id DESC) AS last
    WHERE whole.id = last.whole_id AND whole.state = 'open'
      AND NOT EXISTS (SELECT FROM alerts_incident WHERE whole_id = whole.id AND state = 'open')
    RETURNING whole.id
"""


class Group(NamedTuple):
    """What became of one whole. before: members that stood alone until now; joined: all who joined now."""

    whole: Incident
    new: bool
    joined: list[Incident]
    before: list[Incident]


def gather(made: Sequence[Incident], now: datetime) -> list[Group]:
    """Let new incidents join the whole of their rule, or make one where there are enough of them."""
    new_of = _by_rule(made)
    live = Incident.objects.live().filter(rule__in=new_of, server=None)
    wholes = {one.rule_id: one for one in live.order_by("pk").select_for_update(of=("self",))}
    groups = [_grown(whole, new_of[rule]) for rule, whole in wholes.items()]
    alone = _by_rule(_alone([rule for rule in new_of if rule not in wholes], now))
    for rule, members in alone.items():
        if len({one.server_id for one in members}) >= SERVERS:
            groups.append(_whole_of(members, new_of[rule], now))
    return groups


def tell(groups: Sequence[Group]) -> None:
    """Write the lines of what joined. The opening of a new whole is told by who opens."""
    note(states.JOINED, [one for group in groups for one in group.before])
    for group in groups:
        if not group.new:
            note(states.GREW, [group.whole], facts={"members": len(group.joined)})


def close_emptied(wholes: Collection[int]) -> list[int]:
    """Close those of these wholes that no live member is left of; they are locked. Returns their numbers."""
    if not wholes:
        return []
    return [number for (number,) in fetched(CLOSE_EMPTIED, {"wholes": list(wholes), "live": list(states.LIVE)})]


def take_settled(wholes: Collection[int]) -> list[int]:
    """Acknowledge those of these, which are locked, whose last open member is over, as their newest taker does."""
    if not wholes:
        return []
    return [number for (number,) in fetched(TAKE_SETTLED, {"wholes": list(wholes)})]


def _by_rule(incidents: Sequence[Incident]) -> dict[int, list[Incident]]:
    found = defaultdict(list)
    for one in incidents:
        found[one.rule_id].append(one)
    return found


def _alone(rules: Collection[int], now: datetime) -> list[Incident]:
    """What these rules opened lately and is live; by when the hub saw it, because that is when people are told."""
    if not rules:
        return []
    found = Incident.objects.live().filter(rule__in=rules, server__isnull=False, whole=None)
    return list(found.filter(recorded_at__gt=now - WITHIN).order_by("pk").select_for_update(of=("self",)))


def _whole_of(members: list[Incident], new: list[Incident], now: datetime) -> Group:
    """Make the whole of these. Of two who do at once, the second finds the first's and joins it."""
    wanted = _whole(members, now)
    Incident.objects.bulk_create([wanted], ignore_conflicts=True)
    live = Incident.objects.live().filter(rule=wanted.rule_id, server=None).select_related("rule")
    whole = live.select_for_update(of=("self",)).get()
    ours = whole.uuid == wanted.uuid
    _take_in(whole, members, new)
    if not ours:
        _count(whole, members)
    seen = {one.pk for one in new}
    return Group(whole, ours, members, [one for one in members if one.pk not in seen])


def _grown(whole: Incident, new: list[Incident]) -> Group:
    _take_in(whole, new, new)
    _count(whole, new)
    return Group(whole, new=False, joined=new, before=[])


def _take_in(whole: Incident, members: list[Incident], new: list[Incident]) -> None:
    Incident.objects.filter(pk__in=[one.pk for one in members]).update(whole=whole)
    for one in (*members, *new):  # the same rows, but not the same objects
        one.whole = whole


def _whole(members: list[Incident], now: datetime) -> Incident:
    first = members[0]
    return Incident(
        rule_id=first.rule_id,
        rule_name=first.rule_name,
        kind=first.kind,
        severity=first.severity,
        server=None,
        subject=_same({one.subject for one in members}),
        began_at=min(one.began_at for one in members),
        opened_at=min(one.opened_at for one in members),
        recorded_at=now,
        worst=_worst(first.kind, members),
        facts=_facts(members, len(members), len({one.server_id for one in members})),
        silence_id=_silence(members),
    )


def _count(whole: Incident, new: list[Incident]) -> None:
    """Count the members anew, and keep of the facts what all of them share."""
    counts = Incident.objects.filter(whole=whole).aggregate(members=Count("pk"), servers=Count("server", distinct=True))
    whole.facts = _facts([whole, *new], counts["members"], counts["servers"])
    whole.subject = _same({one.subject for one in (whole, *new)})
    whole.worst = _worst(whole.kind, [whole, *new])
    changed = {"facts": whole.facts, "subject": whole.subject, "worst": whole.worst}
    if whole.state == states.ACKNOWLEDGED:  # nobody has acknowledged what is new
        changed |= GIVEN_BACK
        whole.state = states.OPEN
    Incident.objects.filter(pk=whole.pk).update(**changed)


def _facts(incidents: Sequence[Incident], members: int, servers: int) -> dict[str, Any]:
    shared = dict(incidents[0].facts)
    for one in incidents[1:]:
        shared = {name: value for name, value in shared.items() if one.facts.get(name) == value}
    return {**shared, "members": members, "servers": servers}


def _worst(kind: str, incidents: Sequence[Incident]) -> float | None:
    values = [one.worst for one in incidents if one.worst is not None]
    if not values:
        return None
    return min(values) if kind in LESS_IS_WORSE or incidents[0].facts.get("below") else max(values)


def _silence(members: Sequence[Incident]) -> int | None:
    """A whole is silenced while each of its live members is."""
    silences = [one.silence_id for one in members]
    return None if None in silences else silences[0]


def _same(words: set[str]) -> str:
    return words.pop() if len(words) == 1 else ""
