"""Worker step: a rule acts, by the same door as a person, in the name of who made it, with that person's rights of now.

Whether it may is decided when it is about to act. The decision, the command and every record of it are one transaction,
and the budget is counted under a lock, so that two workers together spend no more than one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from actions import ask, targets
from actions.rollouts import start
from actions.rollouts import states as rollout_states
from actions.rollouts.selection import Selection
from alerts import states, words
from alerts.models import Remedy
from alerts.remedy import barred, budget, outcomes, record
from alerts.remedy.noting import actor_of
from pmonitor import logs
from pmonitor.problems import Problem

log = logs.get(__name__)
BATCH = 50
CALM = timedelta(seconds=30)
DELIVER_WITHIN, EXECUTE_WITHIN = 60, 120  # seconds; a restart that comes later helps nobody


def undecided() -> QuerySet[Remedy]:
    """What is to be decided now or later."""
    return Remedy.objects.filter(outcome="", due_at__isnull=False)


def act() -> int:
    """Decide and do what is due; how many were decided."""
    now = timezone.now()
    due = undecided().filter(due_at__lte=now).order_by("due_at")
    return sum(_tried(pk, now) for pk in due.values_list("pk", flat=True)[:BATCH])


def _tried(pk: int, now: datetime) -> bool:
    """One that fails is tried again while its incident lives, and holds up no other."""
    try:
        with transaction.atomic():
            return _decide(pk, now)
    except Exception:
        log.exception("remedy.failed", remedy=pk)
        return False


def _decide(pk: int, now: datetime) -> bool:
    locked = Remedy.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    rows = locked.select_related("rule__made_by", "incident", "server").filter(pk=pk, outcome="", due_at__lte=now)
    remedy = rows.first()
    if remedy is None:
        return False  # another worker has it
    if not _is_wanted(remedy):
        remedy.delete()
        return True
    if remedy.incident.calm_since:  # it flaps, and is well just now
        return bool(Remedy.objects.filter(pk=pk).update(due_at=now + CALM))
    found = targets.find(remedy.server, remedy.target)
    remedy.target = found.service.name if found.service else remedy.target  # by whatever name the rule calls it
    if why := barred.find(remedy, found.protected):
        record.held(remedy, why)
        return True
    budget.lock(remedy)
    when = budget.next_at(remedy.rule, budget.spent(remedy, now), now)
    if when is None:
        record.gave_up(remedy)
    elif when > now:
        Remedy.objects.filter(pk=pk).update(due_at=when)
    else:
        _act(remedy)
    return True


def _is_wanted(remedy: Remedy) -> bool:
    """Whether there is still something to do about, and a rule that says so."""
    rule = remedy.rule
    acts = rule.enabled and rule.deleted_at is None and rule.remedy_cmd in outcomes.ACTS
    return acts and remedy.incident.state in states.LIVE


def _act(remedy: Remedy) -> None:
    try:
        if remedy.rule.remedy_cmd == outcomes.ROLLOUT:
            record.acted(remedy, rollout=_roll_out(remedy))
        else:
            asked = ask.ask(
                remedy.rule.made_by,
                remedy.server,
                outcomes.VERB_OF[remedy.rule.remedy_cmd],
                remedy.target,
                **_times(),
                reason=_reason(remedy),
                typed=_typed(remedy),
                named=actor_of(remedy.rule.name),
            )
            record.acted(remedy, command=asked.command, joined=asked.joined)
    except Problem as problem:
        record.held(remedy, barred.Why(outcomes.REFUSED, _sentence(remedy, problem)))


def _sentence(remedy: Remedy, problem: Problem) -> str:
    """Why it was refused, for people: fields are what a form or a program would fill in, and here is none."""
    if not problem.fields:
        return problem.sentence
    return " ".join(f"{remedy.target if name == 'target' else name} {what}." for name, what in problem.fields.items())


def _roll_out(remedy: Remedy) -> Any:
    """A rollout over this one server: it halts by itself, and nothing else is rolled out there meanwhile."""
    wanted = start.Wanted(
        outcomes.VERB_OF[outcomes.ROLLOUT],
        remedy.target,
        Selection(servers=(remedy.server.agent_id,)),
        silent=rollout_states.HALT_AT_SILENT,
        **_times(),
    )
    confirmed = start.Confirmed(_reason(remedy), servers=1, typed=_typed(remedy))
    return start.start(remedy.rule.made_by, wanted, confirmed, named=actor_of(remedy.rule.name))


def _times() -> dict[str, Any]:
    return {"deliver_within": DELIVER_WITHIN, "execute_within": EXECUTE_WITHIN}


def _typed(remedy: Remedy) -> str:
    """What a person would type for a protected service; barred.py has looked whether the rule may."""
    return remedy.target if remedy.rule.remedy_protected else ""


def _reason(remedy: Remedy) -> str:
    return f"Rule “{remedy.rule.name}”: {words.title(remedy.incident)}"[: ask.REASON_LENGTH]
