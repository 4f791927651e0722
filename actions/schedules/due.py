"""Worker step: gives the commands that are due. The claim, the command and the records are one transaction.

A schedule is run by one worker: its row is locked, looked at again and moved to its next time before the command is
asked for. What no worker saw within the grace was missed: that is recorded, and it does not run late.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from actions import ask, audit, on_behalf
from actions.models import Command
from actions.schedules import times
from actions.schedules.models import JOINED, MISSED, RAN, REFUSED, Schedule
from pmonitor import logs
from pmonitor.problems import Problem

log = logs.get(__name__)
BATCH = 200


def run() -> int:
    """Run what is due; returns how many schedules were dealt with."""
    now = timezone.now()
    due = Schedule.objects.filter(next_at__lte=now).order_by("next_at")
    return sum(_tried(one.pk, one.next_at, now) for one in due.only("pk", "next_at")[:BATCH] if one.next_at)


def _tried(pk: int, due: datetime, now: datetime) -> bool:
    """One that fails is tried again until its grace ends, and holds up no other."""
    try:
        with transaction.atomic():
            return _run(pk, due, now)
    except Exception:
        log.exception("schedule.failed", schedule=pk)
        return False


def _run(pk: int, due: datetime, now: datetime) -> bool:
    locked = Schedule.objects.select_for_update(skip_locked=True, of=("self",)).select_related("server")
    schedule: Schedule | None = locked.filter(pk=pk, next_at=due).first()
    if schedule is None:
        return False  # another worker has it, or a person changed it
    late = due < now - times.GRACE
    since = max(due, now - times.GRACE)
    next_at = times.following(schedule.cron, schedule.zone, since) if schedule.cron else None
    outcome, why = _miss(schedule, due, now) if late else _give(schedule, due)
    last = {"last_at": due, "last_outcome": outcome, "last_why": why[:400]}
    return bool(Schedule.objects.filter(pk=pk, next_at=due).update(next_at=next_at, **last))


def _miss(schedule: Schedule, due: datetime, now: datetime) -> tuple[str, str]:
    facts = {"runs": times.missed(schedule.cron, schedule.zone, due, now)}
    _write("schedule.missed", schedule, due, audit.HUB, facts=facts)
    return MISSED, ""


def _give(schedule: Schedule, due: datetime) -> tuple[str, str]:
    user = schedule.made_by
    why = on_behalf.barred(user, schedule.made_by_name, schedule.server_id)
    if why:
        _write("schedule.refused", schedule, due, schedule.made_by_name, user, facts={"why": why})
        return REFUSED, why
    try:
        asked = _ask(user, schedule)
    except Problem as problem:
        _write("schedule.refused", schedule, due, schedule.made_by_name, user, facts={"why": problem.sentence})
        return REFUSED, problem.sentence
    joined = {"joined": True} if asked.joined else {}
    _write("schedule.ran", schedule, due, schedule.made_by_name, user, asked.command, joined)
    return (JOINED if asked.joined else RAN), ""


def _ask(user: Any, schedule: Schedule) -> ask.Asked:
    """The same door as a click: the service is looked up, the protected list, other commands at work."""
    return ask.ask(
        user,
        schedule.server,
        schedule.cmd,
        schedule.target,
        reason=schedule.reason,
        deliver_within=schedule.deliver_within_sec,
        execute_within=schedule.execute_within_sec,
        args=schedule.args,
        typed=schedule.typed,
        schedule=schedule,
    )


def _write(
    event: str,
    schedule: Schedule,
    due: datetime,
    actor: str,
    user: User | None = None,
    command: Command | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    said = {"due": due.isoformat(), **(facts or {})}
    audit.write(event, schedule=schedule, command=command, actor=actor, user=user, reason=schedule.reason, facts=said)
