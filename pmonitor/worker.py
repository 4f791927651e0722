"""The worker: one visible table of periodic steps. Each is safe to run twice and on several workers at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import close_old_connections, connection
from django.utils import timezone

from actions import deadlines, leases, reads, waiting
from actions.rollouts import advance
from actions.schedules import due
from alerts.evaluate import rounds
from alerts.incidents import capsule, endings
from alerts.notify import escalation
from alerts.notify import sending as notices
from alerts.quiet import covering
from alerts.remedy import acting, following
from alerts.rules import starter
from pmonitor import logs
from pmonitor.models import StepRun
from servers import compaction, partitions, presence, rollup

log = logs.get(__name__)

STEPS: list[tuple[float, Callable[[], object]]] = [  # every background job there is: (seconds, function)
    (2, presence.mark_silent),
    (1, deadlines.expire_undelivered),
    (1, deadlines.requeue_unacknowledged),
    (1, deadlines.time_out_unanswered),
    (2, deadlines.resolve_unknown),
    (2, deadlines.resolve_unknown_processes),
    (1, advance.advance),
    (1, due.run),
    (2, waiting.announce_late),
    (1, reads.end_unanswered),
    (600, reads.forget_old),
    (5, leases.note_overdue),
    (5, rounds.evaluate),
    (5, covering.keep),
    (2, endings.wake_snoozed),
    (10, endings.end_calm),
    (60, endings.end_empty),
    (1, capsule.fill),
    (1, acting.act),
    (1, following.follow),
    (5, escalation.escalate),
    (1, notices.send),
    (1, compaction.compact),
    (10, rollup.roll_up),
    (600, partitions.keep),
    (600, starter.make_once),
]
# Some fifteen a second on an idle hub; update_or_create would take four statements for each.
RECORD = """INSERT INTO pmonitor_steprun (name, ran_at, seconds, error) VALUES (%s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET (ran_at, seconds, error) = (excluded.ran_at, excluded.seconds, excluded.error)"""


def run(stop: threading.Event) -> None:
    """Run every step at its pace until stop is set."""
    due = dict.fromkeys(range(len(STEPS)), 0.0)
    while not stop.is_set():
        for number, (seconds, step) in enumerate(STEPS):
            if due[number] <= time.monotonic() and not stop.is_set():
                run_step(step)
                due[number] = time.monotonic() + seconds
        stop.wait(max(0.05, min(due.values()) - time.monotonic()))


def run_step(step: Callable[[], object]) -> None:
    """Run one step and record how it ended; a failing step is logged and the others go on."""
    started, error = time.monotonic(), ""
    try:
        close_old_connections()
        step()
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
        log.exception("worker.step_failed", step=StepRun.name_of(step))
    _record(StepRun.name_of(step), time.monotonic() - started, error)


def _record(name: str, seconds: float, error: str) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(RECORD, [name, timezone.now(), seconds, error])
    except Exception:
        log.exception("worker.not_recorded", step=name)  # the database is away; the next round tries again
