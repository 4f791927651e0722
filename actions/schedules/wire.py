"""Schedules as the API says them: camelCase, times ISO 8601 UTC."""

from __future__ import annotations

from typing import Annotated, Any

from django.utils import timezone
from msgspec import Meta, Struct
from msgspec.json import Decoder

from actions.records import short
from actions.schedules import times
from actions.schedules.models import Schedule
from servers.wire import AgentId, Moment, Text, Word

Cron = Annotated[str, Meta(max_length=times.LENGTH)]
Target = Annotated[str, Meta(min_length=1, max_length=255)]


class NewSchedule(Struct, rename="camel"):
    """What shall be done, where and when: onceAt or cron. moves.py checks the values, for forms and programs alike."""

    agent: AgentId
    cmd: Word
    target: Target
    reason: Text
    once_at: Moment | None = None
    cron: Cron = ""
    time_zone: Word = ""  # by whose clock cron is meant; the server's if not given
    deliver_within_sec: int = 60
    execute_within_sec: int = 120
    args: dict[Word, Any] = {}
    typed: Annotated[str, Meta(max_length=255)] = ""  # a protected service's name


class Change(Struct, rename="camel"):
    """What shall be otherwise; what is left out stays."""

    reason: Text | None = None
    once_at: Moment | None = None
    cron: Cron | None = None
    time_zone: Word | None = None
    deliver_within_sec: int | None = None
    execute_within_sec: int | None = None
    typed: Annotated[str, Meta(max_length=255)] | None = None
    enabled: bool | None = None


NEWS, CHANGES = Decoder(NewSchedule), Decoder(Change)


def said(schedule: Schedule) -> dict[str, Any]:
    """A schedule in a list; it has its server selected."""
    return {
        "id": schedule.uuid,
        "agent": schedule.server.agent_id,
        "cmd": schedule.cmd,
        "target": schedule.target,
        "args": schedule.args,
        "reason": schedule.reason,
        "onceAt": schedule.once_at,
        "cron": schedule.cron,
        "timeZone": schedule.zone,
        "deliverWithinSec": schedule.deliver_within_sec,
        "executeWithinSec": schedule.execute_within_sec,
        "enabled": schedule.enabled,
        "state": schedule.state,
        "nextAt": schedule.next_at,
        "madeBy": schedule.made_by_name,
        "madeAt": schedule.made_at,
        "lastAt": schedule.last_at,
        "lastOutcome": schedule.last_outcome,
        "lastWhy": schedule.last_why,
    }


def whole(schedule: Schedule, commands: list[Any]) -> dict[str, Any]:
    """One schedule with its next five times and the newest of its commands."""
    later = []
    if schedule.next_at and schedule.cron:
        later = times.upcoming(schedule.cron, schedule.zone, max(schedule.next_at, timezone.now()), 4)
    first = [schedule.next_at] if schedule.next_at else []
    return {**said(schedule), "next": [*first, *later], "commands": [short(command) for command in commands]}
