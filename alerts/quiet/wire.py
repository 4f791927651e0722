"""Silences as the API says them: camelCase, times ISO 8601 UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Decoder

from actions import zones
from actions.schedules import times
from alerts.models import Rule, Silence
from alerts.quiet import words
from alerts.quiet.silences import Plan
from pmonitor.problems import bad
from servers.wire import Moment, Text, Word

Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class NewSilence(Struct, rename="camel"):
    """Who is not told of what, and when. silences.py checks the values, for forms and programs alike."""

    reason: Text
    scope: Text = ""
    rule: Number | None = None  # its number; every rule if not given
    starts_at: Moment | None = None  # now if not given
    ends_at: Moment | None = None
    cron: Annotated[str, Meta(max_length=times.LENGTH)] = ""
    duration_sec: Seconds | None = None
    time_zone: Word = zones.UNKNOWN


class Change(Struct, rename="camel"):
    """Another end; null, of windows alone: none."""

    ends_at: Moment | UnsetType | None = UNSET


NEWS, CHANGES = Decoder(NewSilence), Decoder(Change)


def plan(given: NewSilence) -> Plan:
    """What is asked for; Problem 400 when it names no rule that there is."""
    rule = Rule.objects.kept().filter(pk=given.rule).first() if given.rule else None
    if given.rule and rule is None:
        raise bad({"rule": "is no alert rule's number; GET /api/alerts/rules lists them"})
    return Plan(
        reason=given.reason,
        scope=given.scope,
        rule=rule,
        starts_at=given.starts_at,
        ends_at=given.ends_at,
        cron=given.cron.strip(),
        duration_sec=given.duration_sec,
        zone=given.time_zone,
    )


def said(silence: Silence, now: datetime) -> dict[str, Any]:
    """A silence with its next times; it has its rule selected."""
    return {
        "number": silence.pk,
        "state": words.state_of(silence, now),
        "reason": silence.reason,
        "scope": silence.scope,
        "rule": silence.rule_id,
        "startsAt": silence.starts_at,
        "endsAt": silence.ends_at,
        "cron": silence.cron,
        "durationSec": silence.duration_sec,
        "timeZone": silence.zone,
        "next": words.following(silence, now, 5),
        "madeBy": silence.made_by_name,
        "madeAt": silence.made_at,
        "endedAt": silence.ended_at,
    }
