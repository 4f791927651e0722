"""Whether rules are evaluated as they should be: what the pages of incidents and rules say when they are not.

A rule that a round leaves out keeps the `evaluated_until` that it had; the worker's own record says why.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts.evaluate import rounds
from alerts.models import Rule
from alerts.rules import names
from pmonitor.models import StepRun
from pmonitor.visible import visible

LATE = timedelta(seconds=30)  # six rounds
NAMED = 5  # rules in one notice


def notice(tell_why: bool) -> dict[str, Any] | None:
    """What `_rules_overdue.html` shows, None while all is well; tell_why: with the error. One query while it is."""
    run, now = _run(), timezone.now()
    if run is None or (not run.error and run.ran_at >= now - LATE):
        return None
    rules = list(Rule.objects.kept().filter(enabled=True))
    behind = [rule for rule in rules if _behind(rule, now)]
    some = bool(rules) and len(behind) < len(rules)
    last = max((rule.evaluated_until for rule in rules if rule.evaluated_until), default=run.ran_at)
    named = [(rule.pk, names.shown(rule.name)) for rule in behind[:NAMED]] if some else []
    more = len(behind) - len(named) if some else 0
    return {"some": some, "last": last, "named": named, "more": more, "error": _error(run, tell_why)}


def of_rule(rule: Rule, tell_why: bool) -> dict[str, Any] | None:
    """The same of one rule, None while it is evaluated or off; last is None when it never was."""
    if not rule.enabled or not _behind(rule, timezone.now()):
        return None
    return {"last": rule.evaluated_until, "error": _error(_run(), tell_why)}


def _behind(rule: Rule, now: datetime) -> bool:
    """From its last change on it has the time of some rounds: one that was off has not been looked at for long."""
    return max(rule.evaluated_until or rule.made_at, rule.made_at) < now - LATE


def _run() -> StepRun | None:
    return StepRun.objects.filter(name=StepRun.name_of(rounds.evaluate)).first()


def _error(run: StepRun | None, tell_why: bool) -> str:
    return visible(run.error) if run and tell_why else ""
