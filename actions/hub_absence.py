"""The hub's own absences on record: one entry each, written when it is back."""

from __future__ import annotations

from typing import Any

from actions import audit
from servers import state_words
from servers.models import HubAbsence

EVENT = "hub.away"


def record(absence: HubAbsence) -> None:
    """Put an absence into the audit trail, in its transaction."""
    facts = {"from": absence.start.isoformat(), "to": absence.end.isoformat(), "why": absence.why}
    seconds = round((absence.end - absence.start).total_seconds())
    audit.write(EVENT, actor=audit.HUB, facts={**facts, "seconds": seconds})


def words(facts: dict[str, Any]) -> str:
    """ "Hub away: its machine was asleep (6 h 2 min)"."""
    why = state_words.AWAY_WORDS.get(facts["why"], state_words.GAPS[state_words.AWAY])
    return f"{why} ({state_words.span(facts['seconds'])})"
