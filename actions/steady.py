"""Deadlines when the hub's clock was set, or its worker was away: neither may end a command, nor keep one for hours.

A machine keeps to its deadlines by a clock of its own that nobody sets (agent/command.py). The hub has the wall clock,
and knows only since when that ran steadily. What began before, may have begun just now: it gets its full time again,
and reports from before prove nothing. What was asked "later than now" waited under a clock since set back.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from actions import states
from actions.judge import FOR_GOOD
from actions.models import Command
from pmonitor import logs
from servers import presence

log = logs.get(__name__)
SLACK = timedelta(seconds=5)  # web processes and workers on several machines need not agree to the second
SINCE = "steadySince"  # in the evidence: the start of that steady time, where it is after the command's own


def minded() -> datetime:
    """This moment; commands whose clock was set meanwhile have their full time from the break on."""
    now = timezone.now()
    awake = presence.watch.awake_since(now, time.monotonic())
    begun = Command.objects.filter(state__in=(states.RUNNING, states.UNKNOWN)).exclude(verdict__in=FOR_GOOD)
    broken = begun.filter(Q(started_at__lt=awake) | Q(started_at__gt=now + SLACK))
    for command in broken:
        if command.evidence.get(SINCE) != awake.isoformat():
            _begin_anew(command, awake)
    return now


def of_the_future(now: datetime) -> Q:
    """Commands asked under a clock that was set back since."""
    return Q(created_at__gt=now + SLACK)


def begun_at(command: Command) -> datetime:
    """From when on reports can prove something about a command."""
    began = command.started_at or timezone.now()
    since = command.evidence.get(SINCE)
    return max(began, datetime.fromisoformat(since)) if since else began


def _begin_anew(command: Command, awake: datetime) -> None:
    columns = {
        "execute_by": awake + timedelta(seconds=command.execute_within_sec),
        "evidence": {**command.evidence, SINCE: awake.isoformat()},
        "started_at": awake if command.started_at and command.started_at > awake else command.started_at,
    }
    here = Command.objects.filter(pk=command.pk, state=command.state, deliveries=command.deliveries)
    if here.filter(evidence=command.evidence).update(**columns):
        log.info("command.clock_minded", command=str(command.uuid), awake=awake.isoformat())
