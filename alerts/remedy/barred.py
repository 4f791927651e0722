"""Why a rule does not act although its incident is open: looked at when it is about to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils import timezone

from actions import on_behalf, protection
from alerts import states
from alerts.models import Remedy
from alerts.remedy import outcomes
from servers.states import SILENT


class Why(NamedTuple):
    """A word of outcomes.WHY, what is said besides, and the facts to say that in another language with."""

    word: str
    said: str = ""
    facts: Mapping[str, str] = {}


def find(remedy: Remedy, protected: Sequence[Sequence[str]]) -> Why | None:
    """The first reason not to act, None where there is none; protected: pattern and kind of all protected services."""
    incident, rule = remedy.incident, remedy.rule
    if incident.whole_id:
        return Why(outcomes.GROUPED)
    if incident.silence_id:
        return Why(outcomes.SILENCED)
    if incident.snoozed_until and incident.snoozed_until > timezone.now():
        return Why(outcomes.SNOOZED)
    if incident.state == states.ACKNOWLEDGED:
        return Why(outcomes.TAKEN, incident.acknowledged_by_name)
    if remedy.server.state == SILENT:
        return Why(outcomes.SILENT)
    if lost := on_behalf.lost(rule.made_by, remedy.server_id):
        name = rule.made_by_name
        return Why(outcomes.RIGHTS, on_behalf.sentence(lost, name), {"lost": lost, "name": name})
    verb = outcomes.VERB_OF[rule.remedy_cmd]
    if protection.kind_of(verb, remedy.target, protected) and not rule.remedy_protected:
        return Why(outcomes.PROTECTED)
    return None
