"""Which service an incident is about, if it is about one."""

from __future__ import annotations

from actions.states import SERVICE_VERBS
from alerts.models import Incident
from alerts.rules import kinds

PATTERN = frozenset("*?[")  # in a name they make it a pattern


def unit_of(incident: Incident) -> str:
    """Its subject, what its process rule names, or what a command was for; empty where that is no one service."""
    facts = incident.facts
    if kinds.KINDS[incident.kind].group == kinds.SERVICE:
        return incident.subject
    if incident.kind == kinds.COMMAND_FAILED:
        return incident.subject if facts.get("cmd") in SERVICE_VERBS else ""
    if kinds.KINDS[incident.kind].group == kinds.PROCESS and facts.get("by") == "service":
        pattern = str(facts.get("pattern", ""))
        return "" if PATTERN & set(pattern) else pattern
    return ""
