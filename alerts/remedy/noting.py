"""Notes what a rule is to do when its incident opens, in the transaction that opens it; acting.py does it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from alerts import states, timeline
from alerts.incidents.unit import unit_of
from alerts.models import Incident, Remedy
from alerts.remedy import outcomes


def hear(move: str, incidents: Sequence[Incident]) -> None:
    """A listener of timelines, which of many servers at once hears of one incident: that gets a line that says so.

    What did not act in a silence acts when that is over.
    """
    if move == states.UNSILENCED:
        incidents = _held_by_silence(incidents)
    elif move != states.OPENED:
        return
    acting = [one for one in incidents if one.rule.remedy_cmd and one.whole_id is None]
    aimed = [(one, target_of(one)) for one in acting]
    now = timezone.now()
    Remedy.objects.bulk_create(
        Remedy(rule=one.rule, incident=one, server_id=one.server_id, target=target, at=now, due_at=now)
        for one, target in aimed
        if one.server_id and target
    )
    for why, left in (
        (outcomes.GROUPED, [one for one in acting if one.server_id is None]),
        (outcomes.NO_SERVICE, [one for one, target in aimed if one.server_id and not target]),
    ):
        if left:
            timeline.note(states.NOT_ACTED, left, actor=actor_of(left[0].rule_name), facts={"why": why})


def _held_by_silence(incidents: Sequence[Incident]) -> list[Incident]:
    held = Remedy.objects.filter(incident__in=incidents, outcome=outcomes.HELD, why=outcomes.SILENCED)
    pks = set(held.values_list("incident", flat=True))
    return [one for one in incidents if one.pk in pks]


def target_of(incident: Incident) -> str:
    """The service that is acted on: the one its rule names, or the one it is about; empty: none."""
    return incident.rule.remedy_target or unit_of(incident)


def actor_of(rule: str) -> str:
    """What the trail and the timeline call a rule that acts."""
    return f"rule {rule}"
