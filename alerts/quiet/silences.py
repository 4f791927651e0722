"""Makes silences and maintenance windows, moves their end and ends them, each with its audit entry.

What is covered from now on, or no longer, is settled in the same transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import audit, zones
from actions.lifecycle import Actor
from actions.schedules import times
from alerts.models import Rule, Silence
from alerts.quiet import covering
from alerts.rules import scopes
from pmonitor import live
from pmonitor.problems import Problem, bad

REASON_LENGTH = 200  # characters
LEAST, MOST_WINDOW = timedelta(minutes=1), timedelta(days=7)  # how long a window may be
AHEAD = timedelta(days=366)  # how far off a silence may begin, and how long it may be
MOST = 500  # that are not over


class Plan(NamedTuple):
    """Who is not told of what, and when. Once: starts_at and ends_at. With cron: windows, between those two."""

    reason: str
    scope: str = ""
    rule: Rule | None = None
    starts_at: datetime | None = None  # None: now
    ends_at: datetime | None = None  # None, with cron alone: for ever
    cron: str = ""
    duration_sec: int | None = None  # of each window
    zone: str = zones.UNKNOWN


def make(user: Any, plan: Plan, address: str | None = None) -> Silence:
    """Record a new one; one that shall begin in the past begins now. The caller has checked the role.

    Raises Problem: 400 naming wrong fields, 409 when there are too many.
    """
    now = timezone.now()
    plan = plan._replace(starts_at=max(plan.starts_at or now, now), reason=plan.reason.strip())
    if found := wrong(user, plan, now):
        raise bad(found)
    if not_over(now).count() >= MOST:
        raise Problem(409, _("There are %(n)s silences, which is as many as there may be.") % {"n": MOST})
    with transaction.atomic():
        by = {"made_by_name": audit.name_of(user), "made_at": now}
        silence = Silence.objects.create(**plan._asdict(), **by)
        _write("silence.made", user, silence, address)
        covering.keep()
    return silence


def change_end(user: Any, silence: Silence, ends_at: datetime | None, address: str | None = None) -> None:
    """Give it another end; None, of windows alone: none. Raises Problem: 400 for `endsAt`, 403, 409 when it is over."""
    _may(user, silence)
    now = timezone.now()
    if said := _wrong_end(silence.starts_at, ends_at, bool(silence.cron), now):
        raise bad({"endsAt": said})
    with transaction.atomic():
        _move("silence.changed", user, silence, address, now, ends_at=ends_at)


def end(user: Any, silence: Silence, address: str | None = None) -> None:
    """End it now. Raises Problem: 403, 409 when it is over already."""
    _may(user, silence)
    now = timezone.now()
    with transaction.atomic():
        _move("silence.ended", user, silence, address, now, ended_at=now)


def not_over(now: datetime) -> Any:
    """Those that hold or will hold."""
    return Silence.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), ended_at=None)


def wrong(user: Any, plan: Plan, now: datetime) -> dict[str, str]:
    """What is wrong with a plan whose start is known, by the field's name on the wire."""
    found = {
        "reason": _wrong_reason(plan.reason),
        "scope": _wrong_scope(user, plan.scope),
        "timeZone": "" if plan.zone in zones.names() else _("is no time zone that the hub knows, as Europe/Bucharest"),
        "startsAt": _("must be in the next 366 days") if (plan.starts_at or now) > now + AHEAD else "",
        "endsAt": _wrong_end(plan.starts_at or now, plan.ends_at, bool(plan.cron), now),
        "cron": times.wrong(plan.cron) if plan.cron else "",
        "durationSec": _wrong_duration(plan),
    }
    return {name: said for name, said in found.items() if said}


def _wrong_reason(reason: str) -> str:
    if not reason.strip() or len(reason) > REASON_LENGTH or not reason.isprintable():
        return _("Say why, in one line of at most %(length)s characters.") % {"length": REASON_LENGTH}
    return ""


def _wrong_scope(user: Any, line: str) -> str:
    if said := scopes.wrong(line):
        return said
    mine = scopes.reach_of(user)
    if not mine.holds(line):
        return _("reaches further than your scope: begin with %(groups)s") % {"groups": mine.line or "group:…"}
    return ""


def _wrong_end(starts_at: datetime, ends_at: datetime | None, again: bool, now: datetime) -> str:
    if ends_at is None:
        return "" if again else _("Say until when.")
    if ends_at <= max(starts_at, now):
        return _("must be later than its begin, and than now")
    return _("must be at most 366 days after its begin") if ends_at > starts_at + AHEAD and not again else ""


def _wrong_duration(plan: Plan) -> str:
    if not plan.cron:
        return "" if plan.duration_sec is None else _("is for windows, which have a cron expression")
    if plan.duration_sec is None or not LEAST <= timedelta(seconds=plan.duration_sec) <= MOST_WINDOW:
        return _("must be 60 to 604800 seconds, which is a minute to a week")
    return ""


def _may(user: Any, silence: Silence) -> None:
    if not scopes.may_use(user, silence.scope):
        raise Problem(403, _("It reaches further than your scope: somebody who sees all of its servers may change it."))


def _move(event: str, user: Any, silence: Silence, address: str | None, now: datetime, **columns: Any) -> None:
    if not not_over(now).filter(pk=silence.pk).update(**columns):
        raise Problem(409, _("It is over already."))
    for name, value in columns.items():
        setattr(silence, name, value)
    _write(event, user, silence, address)
    covering.keep()


def _write(event: str, user: Any, silence: Silence, address: str | None) -> None:
    live.announce("silences:all")
    actor = Actor(audit.name_of(user), user, address)
    facts = {
        "silence": silence.pk,
        "scope": silence.scope,
        "rule": silence.rule.name if silence.rule else None,
        "from": silence.starts_at.isoformat(),
        "until": silence.ends_at.isoformat() if silence.ends_at else None,
        **({"cron": silence.cron, "timeZone": silence.zone, "sec": silence.duration_sec} if silence.cron else {}),
    }
    who = {"actor": actor.name, "user": actor.user, "address": actor.address}
    audit.write(event, reason=silence.reason, facts=facts, **who)
