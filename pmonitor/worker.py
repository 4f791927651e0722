"""The worker: one visible table of periodic steps. Each is safe to run twice and on several workers at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.db.models import QuerySet
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
AWAY = (OperationalError, InterfaceError)  # what a statement raises while there is no database


class Step(NamedTuple):
    """One background job. of: without such rows it has nothing to do, and is not called; None: it is called each time.

    All steps that are due are asked about in one statement. What the rows lack of being due is the step's to find.
    """

    seconds: float  # its period
    run: Callable[[], object]
    of: Callable[[], QuerySet[Any]] | None = None


STEPS: list[Step] = [  # every background job there is
    Step(2, presence.mark_silent),
    Step(1, deadlines.expire_undelivered, deadlines.undelivered),
    Step(1, deadlines.requeue_unacknowledged, deadlines.unacknowledged),
    Step(1, deadlines.time_out_unanswered, deadlines.unanswered),
    Step(2, deadlines.resolve_unknown, deadlines.unknown),
    Step(2, deadlines.resolve_unknown_processes, deadlines.unknown_processes),
    Step(1, advance.advance, advance.not_at_rest),
    Step(1, due.run),
    Step(2, waiting.announce_late, waiting.queued),
    Step(1, reads.end_unanswered, reads.unanswered),
    Step(600, reads.forget_old),
    Step(5, leases.note_overdue, leases.on_time),
    Step(5, rounds.evaluate),
    Step(5, covering.keep),
    Step(2, endings.wake_snoozed, endings.snoozed),
    Step(10, endings.end_calm),
    Step(60, endings.end_empty),
    Step(1, capsule.fill, capsule.unfilled),
    Step(1, acting.act, acting.undecided),
    Step(1, following.follow, following.begun),
    Step(5, escalation.escalate, escalation.in_time),
    Step(1, notices.send, notices.unsent),
    Step(1, compaction.compact),
    Step(10, rollup.roll_up),
    Step(600, partitions.keep),
    Step(600, starter.make_once),
]
RECORD = """INSERT INTO pmonitor_steprun (name, ran_at, seconds, error)
    SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::float8[], %s::text[])
    ON CONFLICT (name) DO UPDATE SET (ran_at, seconds, error) = (excluded.ran_at, excluded.seconds, excluded.error)"""


class Ran(NamedTuple):
    """How a step ended, as StepRun keeps it."""

    name: str
    ran_at: datetime
    seconds: float
    error: str


class Outage:
    """Says once that the database is away, and once that it is back."""

    def __init__(self) -> None:
        self.since: float | None = None

    def goes_on(self, error: Exception) -> None:
        """No round was possible."""
        if self.since is None:
            self.since = time.monotonic()
            log.error("worker.database_away", error=str(error))

    def is_over(self) -> None:
        """A round was."""
        if self.since is not None:
            log.warning("worker.database_back", seconds=round(time.monotonic() - self.since))
            self.since = None


def run(stop: threading.Event) -> None:
    """Run every step at its pace until stop is set: on a grid of its period since the start, so that rounds are few.

    While the database is away no step is called, and the round is tried again each second.
    """
    began, due, outage = time.monotonic(), [0.0] * len(STEPS), Outage()
    while not stop.is_set():
        ready = [number for number, at in enumerate(due) if at <= time.monotonic() - began]
        try:
            run_round([STEPS[number] for number in ready], stop)
        except AWAY as error:
            outage.goes_on(error)
            stop.wait(1)
            continue
        outage.is_over()
        passed = time.monotonic() - began
        for number in ready:
            due[number] = (passed // STEPS[number].seconds + 1) * STEPS[number].seconds
        stop.wait(max(0.05, min(due) - passed))


def run_round(steps: Sequence[Step], stop: threading.Event) -> None:
    """Run these steps, those with nothing to do by name only, and record how each ended. Raises one of AWAY."""
    idle, ran = _idle(steps), []
    for step in steps:
        if stop.is_set():
            break
        ran.append(_ran(step, step in idle))
        if ran[-1].error:
            _ask("SELECT 1", [])  # when it failed because the database is away, so would all others
    if ran:
        _record(ran)


def _idle(steps: Sequence[Step]) -> Set[Step]:
    """Those that have nothing to do; none where that cannot be told. Raises one of AWAY."""
    asked = [step for step in steps if step.of]
    if not asked:
        return set()
    texts, values = zip(*(_question(step) for step in asked), strict=True)
    try:
        found = _ask(f"SELECT {', '.join(texts)}", list(chain.from_iterable(values)))
    except AWAY:
        raise
    except Exception:
        log.exception("worker.not_asked")
        return set()
    return {step for step, some in zip(asked, found, strict=True) if not some}


def _ask(statement: str, values: Sequence[Any]) -> tuple[Any, ...]:
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


@cache
def _question(step: Step) -> tuple[str, Sequence[Any]]:
    """Whether there is a row, as SQL and its values; made once, as the ORM takes longer for it than the database."""
    rows: Any = step.of() if step.of else None
    text, values = rows.order_by().values("pk").query.sql_with_params()
    return f"EXISTS ({text})", values


def _ran(step: Step, idle: bool) -> Ran:
    """Run one step; a failing step is logged and the others go on."""
    started, error = time.monotonic(), ""
    try:
        if not idle:
            close_old_connections()
            step.run()
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
        log.exception("worker.step_failed", step=StepRun.name_of(step.run))
    return Ran(StepRun.name_of(step.run), timezone.now(), time.monotonic() - started, error)


def _record(ran: Sequence[Ran]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(RECORD, [list(column) for column in zip(*ran, strict=True)])
    except Exception:
        log.exception("worker.not_recorded")  # the next round tries again
