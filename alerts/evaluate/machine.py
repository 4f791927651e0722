"""What a rule makes of the samples of one subject, one after the other. Pure: no clock, no database.

        ┌────────────┐ k of n  ┌─────────┐ for   ┌────────┐ clear level ┌──────────┐ clear for
   ───▶ │ gathering  │ ──────▶ │ pending │ ────▶ │ firing │ ◀─────────▶ │ clearing │ ─────────▶ gone
        └────────────┘ ◀────── └─────────┘       └────────┘             └──────────┘
                                                     ▲  no data              │
                                                     └────────▶ held ◀───────┘

As in Prometheus, "for" counts from the first sample over the limit to the one that is looked at, and begins anew with
the first that is not over; what fires ends with the first sample under the clear level, or, with "clear for"
(keep_firing_for), with the first that comes so long after it, none between them being over the clear level. Unlike
there, data that is missing ends nothing: what fires is held until there is data again. What is pending begins anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, WHY, Seen

GATHERING, PENDING, FIRING, CLEARING, HELD = "gathering", "pending", "firing", "clearing", "held"
LIVE = (FIRING, CLEARING, HELD)  # those that have an incident
# What a step tells
OPENS, CLEARS, GONE, LOST, HEARD, WORSENS = "opens", "clears", "gone", "no data", "data again", "worsens"
# Agents sample on a grid but for milliseconds: what is so near has lasted, or "for 10 s" would take the third sample.
NEARLY = timedelta(seconds=0.5)
IS_GONE = "gone"  # a fact of what is seen: there is no such subject any more


class Conditions(NamedTuple):
    """When a rule fires and clears; k of the last n samples over the limit, None: this one."""

    for_sec: float = 0
    clear_for_sec: float = 0
    k: int | None = None
    n: int | None = None
    lower_is_worse: bool = False
    gap_sec: float | None = None  # samples farther apart than that have no data between them; None: however far


class Stood(NamedTuple):
    """How a subject stands, of which there is more to say than that it is well."""

    phase: str
    since: datetime  # the first sample of which the rule's condition held
    at: datetime  # the last sample that was looked at
    clear_since: datetime | None = None  # the first sample under the clear level
    recent: tuple[bool, ...] = ()  # of "k of n": which of the last samples were over, the newest last
    value: float | None = None  # while it fires, the worst
    facts: dict[str, Any] = {}


class Event(NamedTuple):
    """What happened to a subject with a sample."""

    kind: str
    at: datetime
    since: datetime
    value: float | None
    facts: dict[str, Any]


End = tuple[Stood | None, Event | None]


def step(rule: Conditions, stood: Stood | None, seen: Seen) -> End:
    """How the subject stands after this sample, None: well; and what happened, if anything did.

    A sample that was looked at already changes nothing.
    """
    if stood is not None:
        if seen.at <= stood.at:
            return stood, None
        if rule.gap_sec is not None and seen.at - stood.at > timedelta(seconds=rule.gap_sec):
            stood = interrupted(stood)
    if seen.facts.get(IS_GONE):
        return None, ended(stood, seen.at) if stood else None
    if seen.level == NO_DATA:
        return _unheard(stood, seen)
    stood, level = _counted(rule, stood, seen)
    if stood is not None and stood.phase in LIVE:
        return _fires(rule, stood, seen, level)
    return _may_fire(rule, stood, seen, level)


def interrupted(stood: Stood) -> Stood | None:
    """How it stands when nobody knows what was meanwhile: nothing that has to last lasted through that."""
    if stood.phase not in LIVE:
        return None
    phase = FIRING if stood.phase == CLEARING else stood.phase
    return stood._replace(phase=phase, clear_since=None, recent=())


def ended(stood: Stood, at: datetime) -> Event | None:
    """What happens when there is no such subject any more."""
    return Event(GONE, at, stood.since, None, {}) if stood.phase in LIVE else None


def _counted(rule: Conditions, stood: Stood | None, seen: Seen) -> tuple[Stood | None, str]:
    """The sample's level, with "k of n" that of the last n samples; and the standing that remembers it."""
    if rule.n is None or rule.k is None:
        return stood, seen.level
    recent = (*(stood.recent if stood else ()), seen.level == OVER)[-rule.n :]
    level = OVER if sum(recent) >= rule.k else BETWEEN if seen.level == OVER else seen.level
    if stood is None:
        stood = Stood(GATHERING, seen.at, seen.at) if any(recent) else None
    return (stood._replace(recent=recent) if stood else None), level


def _may_fire(rule: Conditions, stood: Stood | None, seen: Seen, level: str) -> End:
    """Of a subject that does not fire."""
    recent = stood.recent if stood else ()
    if level != OVER:
        if not any(recent):
            return None, None
        since = stood.since if stood and stood.phase == GATHERING else seen.at
        return Stood(GATHERING, since, seen.at, None, recent, seen.value, seen.facts), None
    since = stood.since if stood and stood.phase == PENDING else seen.at
    now = Stood(PENDING, since, seen.at, None, recent, seen.value, seen.facts)
    if not _lasted(since, seen, rule.for_sec):
        return now, None
    return now._replace(phase=FIRING), _event(OPENS, now, seen)


def _fires(rule: Conditions, stood: Stood, seen: Seen, level: str) -> End:
    """Of a subject that fires."""
    heard = _event(HEARD, stood, seen) if stood.phase == HELD else None
    if level not in (OVER, BETWEEN):
        since = stood.clear_since or seen.at
        if _lasted(since, seen, rule.clear_for_sec):
            return _well(stood, seen), _event(CLEARS, stood, seen)
        facts = _known(stood.facts)
        return stood._replace(phase=CLEARING, at=seen.at, clear_since=since, facts=facts), heard
    now = stood._replace(phase=FIRING, at=seen.at, clear_since=None, facts=_known(stood.facts))
    if heard is None and _is_worse(rule, stood.value, seen.value):
        return now._replace(value=seen.value, facts=seen.facts), _event(WORSENS, stood, seen)
    return now, heard


def _lasted(since: datetime, seen: Seen, seconds: float) -> bool:
    return seen.at - since >= timedelta(seconds=seconds) - NEARLY


def _well(stood: Stood, seen: Seen) -> Stood | None:
    """What is left when it is over: of "k of n" the samples that count on."""
    if not any(stood.recent):
        return None
    return Stood(GATHERING, seen.at, seen.at, None, stood.recent, seen.value, seen.facts)


def _unheard(stood: Stood | None, seen: Seen) -> End:
    left = interrupted(stood) if stood else None
    if left is None or (left.phase == HELD and _why(left.facts) == _why(seen.facts)):
        return left, None
    at = left.at if left.phase == HELD else seen.at
    because = {WHY: seen.facts[WHY]} if WHY in seen.facts else {}
    return left._replace(phase=HELD, at=at, facts=_known(left.facts) | because), _event(LOST, left, seen)


def _why(facts: dict[str, Any]) -> str | None:
    """Why nothing is known, None: nothing came. The numbers that belong to it may be others each time."""
    why: str | None = facts.get(WHY, {}).get("why")
    return why


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != WHY}


def _is_worse(rule: Conditions, before: float | None, now: float | None) -> bool:
    if now is None:
        return False
    return before is None or (now < before if rule.lower_is_worse else now > before)


def _event(kind: str, stood: Stood, seen: Seen) -> Event:
    return Event(kind, seen.at, stood.since, seen.value, seen.facts)
