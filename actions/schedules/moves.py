"""Makes, changes, pauses, resumes and deletes schedules, each with its audit entry in the same transaction.

Whoever makes, changes or resumes one answers for it from then on: it acts in their name and needs their rights.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import arguments, ask, audit, lifecycle, protection, states, zones
from actions.schedules import times
from actions.schedules.models import Schedule
from pmonitor.problems import Problem, bad
from servers.models import Server

CMDS = states.SERVICE_VERBS  # what makes sense without anybody looking
PER_PERSON, PER_SERVER = 200, 50


class Plan(NamedTuple):
    """What shall be done, and when; times in seconds. once_at or cron, and the zone that cron is meant in."""

    cmd: str
    target: str
    reason: str
    once_at: datetime | None = None
    cron: str = ""
    zone: str = zones.UNKNOWN
    deliver_within_sec: int = 60
    execute_within_sec: int = 120
    args: dict[str, Any] = {}
    typed: str = ""


def make(user: Any, server: Server, plan: Plan, address: str | None = None) -> Schedule:
    """Record a new schedule. The caller has checked role and scope.

    Raises Problem: 400 naming wrong fields, 409 when the service cannot be told so, or there are too many schedules.
    """
    actor = lifecycle.Actor(audit.name_of(user), user, address)
    _check(actor, server, plan)
    _count(user, server)
    with transaction.atomic():
        schedule = Schedule.objects.create(server=server, **_columns(plan), **_by(actor), next_at=_next(plan))
        _write("schedule.made", actor, schedule, _when(schedule))
    return schedule


def change(user: Any, schedule: Schedule, plan: Plan, address: str | None = None) -> None:
    """Give it another time, reason or deadline; a paused one stays so. Raises Problem like `make`."""
    actor = lifecycle.Actor(audit.name_of(user), user, address)
    _check(actor, schedule.server, plan)
    next_at = _next(plan) if schedule.enabled else None
    _move("schedule.changed", actor, schedule, {}, **_columns(plan), **_by(actor), next_at=next_at)


def pause(user: Any, schedule: Schedule, address: str | None = None) -> None:
    """It does not run until it is resumed; 409 when it is paused already."""
    actor = lifecycle.Actor(audit.name_of(user), user, address)
    _move("schedule.disabled", actor, schedule, {"enabled": True}, enabled=False, next_at=None)


def resume(user: Any, schedule: Schedule, address: str | None = None) -> None:
    """It runs again, from the next time on; 409 when it is on already, or its only time is over."""
    actor, plan = lifecycle.Actor(audit.name_of(user), user, address), plan_of(schedule)
    if schedule.once_at and schedule.once_at <= timezone.now():
        raise Problem(409, _("Its time is over; give it another one."))
    _move("schedule.enabled", actor, schedule, {"enabled": False}, enabled=True, **_by(actor), next_at=_next(plan))


def delete(user: Any, schedule: Schedule, address: str | None = None) -> None:
    """It never runs again and is not listed any more; its commands and records stay."""
    actor = lifecycle.Actor(audit.name_of(user), user, address)
    _move("schedule.deleted", actor, schedule, {}, deleted_at=timezone.now(), next_at=None)


def plan_of(schedule: Schedule) -> Plan:
    """What is recorded, to be changed in part."""
    return Plan(**{name: getattr(schedule, name) for name in Plan._fields})


def _move(event: str, actor: lifecycle.Actor, schedule: Schedule, where: dict[str, Any], **columns: Any) -> None:
    with transaction.atomic():
        here = Schedule.objects.filter(pk=schedule.pk, deleted_at=None, **where)
        if not here.update(**columns):
            raise Problem(409, _("Somebody was faster: it is not as you saw it any more."))
        for name, value in columns.items():
            setattr(schedule, name, value)
        _write(event, actor, schedule, _when(schedule) if columns.get("next_at") else {})


def _write(event: str, actor: lifecycle.Actor, schedule: Schedule, facts: dict[str, Any]) -> None:
    who = {"actor": actor.name, "user": actor.user, "address": actor.address}
    audit.write(event, schedule=schedule, reason=schedule.reason, facts=facts, **who)


def _check(actor: lifecycle.Actor, server: Server, plan: Plan) -> None:
    if found := _wrong(plan):
        raise bad(found)
    ask.service_of(ask.Question(actor, server, plan.cmd, plan.target, plan.reason, plan.args))
    if lacking := protection.missing(plan.cmd, plan.target, plan.typed, plan.reason):
        raise bad(lacking)


def _wrong(plan: Plan) -> dict[str, str]:
    """What is wrong with the plan itself, by the field's name on the wire."""
    found = ask.wrong_fields(plan.cmd, plan.reason, plan.deliver_within_sec, plan.execute_within_sec)
    if plan.cmd not in CMDS:
        found["cmd"] = _("must be one of %(verbs)s") % {"verbs": ", ".join(CMDS)}
    found |= arguments.wrong(plan.cmd, plan.args) if "cmd" not in found else {}
    if not plan.reason.strip():
        found["reason"] = _("Say why: the audit trail keeps it.")
    if plan.zone not in zones.names():
        found["timeZone"] = _("is no time zone that the hub knows; write one such as Europe/Bucharest")
    return found | _wrong_time(plan)


def _wrong_time(plan: Plan) -> dict[str, str]:
    if (plan.once_at is None) == (not plan.cron):
        return {"onceAt": _("Give one time, or a cron expression.")}
    if plan.once_at is None:
        said = times.wrong(plan.cron)
        return {"cron": said} if said else {}
    now = timezone.now()
    if plan.once_at <= now:
        return {"onceAt": _("Choose a time that is not over yet.")}
    return {"onceAt": _("Choose a time in the next 366 days.")} if plan.once_at > now + times.AHEAD else {}


def _count(user: Any, server: Server) -> None:
    kept = Schedule.objects.filter(deleted_at=None).exclude(enabled=True, next_at=None)
    if kept.filter(made_by=user).count() >= PER_PERSON:
        raise Problem(409, _("You have %(n)s schedules, which is as many as one may have.") % {"n": PER_PERSON})
    if kept.filter(server=server).count() >= PER_SERVER:
        raise Problem(409, _("This server has %(n)s schedules, which is as many as one may have.") % {"n": PER_SERVER})


def _columns(plan: Plan) -> dict[str, Any]:
    return plan._asdict()


def _by(actor: lifecycle.Actor) -> dict[str, Any]:
    return {"made_by": actor.user, "made_by_name": actor.name, "made_at": timezone.now()}


def _next(plan: Plan) -> datetime | None:
    return plan.once_at or times.following(plan.cron, plan.zone, timezone.now())


def _when(schedule: Schedule) -> dict[str, Any]:
    facts = {"cron": schedule.cron, "timeZone": schedule.zone} if schedule.cron else {}
    return {**facts, "next": schedule.next_at.isoformat() if schedule.next_at else None}
