"""The worker's step that evaluates rules: each kind of rule in one go over all servers, each sample once.

A round is one transaction that one worker has at a time. In it, finder by finder: it tells which subjects are over, and
how those stand of which something stands already (finders.py); the machine moves what stands; what opens and
closes goes to moves.py. So what stands, the incidents and how far was looked commit together, and a worker that is
killed, or a second one, neither loses a sample nor looks at one twice. A rule that fails is rolled back alone.

While the hub takes no reports nothing is evaluated. After a pause of the worker it catches up with the samples that
were stored meanwhile, those of the last hour, some minutes of them in a round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from alerts.evaluate import conditions, finders, freshness, outcomes
from alerts.evaluate.found import Aim, Finder, Seen, Stretch
from alerts.evaluate.machine import Conditions
from alerts.evaluate.standings import Ledger
from alerts.models import Rule, Standing
from alerts.rules import kinds, scopes
from pmonitor import logs
from servers import hub_absences
from servers.models import HubAbsence

log = logs.get(__name__)
LOCK = 0x706D616C  # one round at a time ("pmal")
CATCH_UP = timedelta(hours=1)  # after a longer pause what is older is skipped, and the log says so
NAMED = 5  # rules that failed, in the error
FIRST_LOOK = timedelta(minutes=1)  # a new rule looks at no older samples


class Failed(RuntimeError):
    """Some rules could not be evaluated; the others were."""


class Round(NamedTuple):
    """What one round is about. cut: there are later samples than it looks at."""

    now: datetime
    aims: Sequence[Aim]
    conditions: Mapping[int, Conditions]
    standings: Sequence[Standing]
    absences: Sequence[HubAbsence]
    stretch: Stretch
    cut: bool


def evaluate(clock: Callable[[], datetime] = timezone.now) -> None:
    """Worker step: evaluate every rule over what was reported since the round before. Raises Failed."""
    while _round(clock):
        pass


def _round(clock: Callable[[], datetime]) -> bool:
    """One transaction; whether there is more to catch up with."""
    with transaction.atomic():
        now = clock()
        if not _mine() or hub_absences.away_at(now, now):
            return False
        # Locked, so that who changes a rule waits for what this makes of it. See rules_gone.py.
        rules = list(Rule.objects.kept().filter(enabled=True).order_by("pk").select_for_update(no_key=True))
        if not rules:
            return False
        one = _prepared(rules, now)
        asked = finders.together({aim.rule.kind for aim in one.aims})
        failed = {number: why for those in asked for number, why in _found(one, those).items()}
        done = [aim.rule.pk for aim in one.aims if aim.rule.pk not in failed]
        readings = {aim.rule.pk for aim in one.aims if aim.rule.kind == kinds.READING}
        if not readings or readings - set(failed):  # where all failed, the next round looks at the same samples
            freshness.note(one.stretch.fresh)
        if not one.cut:
            Rule.objects.filter(pk__in=done).update(evaluated_until=now)
    if failed:
        names = {rule.pk: f"{rule.name} ({rule.kind})" for rule in rules}
        told = [f"{names[number]}: {why}" for number, why in failed.items()]
        raise Failed(f"{len(told)} of {len(rules)} rules: {', '.join(told[:NAMED])}")
    return one.cut


def _mine() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _prepared(rules: Sequence[Rule], now: datetime) -> Round:
    until = max((rule.evaluated_until for rule in rules if rule.evaluated_until), default=None)
    if until and until < now - CATCH_UP:
        log.warning("alerts.skipped", start=until.isoformat(), end=(now - CATCH_UP).isoformat())
    floor = now - CATCH_UP if until else now - FIRST_LOOK
    after = min(max(until, floor), now) if until else floor
    fresh, cut = freshness.find(floor, now)
    watched = _conditions(rules)
    standings = list(Standing.objects.filter(rule__in=list(watched)))
    oldest = min([after, *(row.at for row in standings), *(one.after for one in fresh)])
    absences = list(HubAbsence.objects.filter(end__gt=oldest))
    aims = _aims([rule for rule in rules if rule.pk in watched])
    return Round(now, aims, watched, standings, absences, Stretch(after, now, fresh), cut)


def _conditions(rules: Sequence[Rule]) -> dict[int, Conditions]:
    """Of each rule; one that cannot be understood is left out, and the others go on."""
    found = {}
    for rule in rules:
        try:
            found[rule.pk] = conditions.of(rule)
        except (KeyError, msgspec.ValidationError) as error:
            log.warning("alerts.rule_not_understood", rule=rule.pk, error=str(error))
    return found


def _aims(rules: Sequence[Rule]) -> list[Aim]:
    """Rules and their servers; of one scope the same list."""
    places = scopes.places()
    servers = {line: scopes.of(scopes.read(line), places) for line in {rule.scope for rule in rules}}
    return [Aim(rule, servers[rule.scope]) for rule in rules]


def _found(one: Round, those: Sequence[str]) -> dict[int, str]:
    """Evaluate the rules of kinds that one finder has; the numbers of those that failed, each with its error."""
    if one.cut and kinds.READING not in those:
        return {}  # these look at what is now, which comes with the last of the rounds
    return _failing(one, [aim for aim in one.aims if aim.rule.kind in those], finders.FINDERS[those[0]])


def _failing(one: Round, aims: Sequence[Aim], find: Finder) -> dict[int, str]:
    """Evaluate these together; where that fails each half of them by itself, down to the rule that does."""
    try:
        with transaction.atomic():
            _evaluated(one, aims, find)
    except Exception as error:
        if len(aims) == 1:
            log.exception("alerts.rule_failed", rule=aims[0].rule.pk)
            return {aims[0].rule.pk: type(error).__name__}
        # Anew, because what failed had moved some of them.
        again = one._replace(standings=list(Standing.objects.filter(rule__in=[aim.rule.pk for aim in aims])))
        half = len(aims) // 2
        return _failing(again, aims[:half], find) | _failing(again, aims[half:], find)
    return {}


def _evaluated(one: Round, aims: Sequence[Aim], find: Finder) -> None:
    rules = {aim.rule.pk: aim.rule for aim in aims}
    ledger = Ledger(rules, one.conditions, [row for row in one.standings if row.rule_id in rules])
    sets = {id(aim.servers): frozenset(aim.servers) for aim in aims}
    ledger.begin({aim.rule.pk: sets[id(aim.servers)] for aim in aims}, one.absences, one.now)
    for seen in find(aims, one.stretch, ledger.standings()):
        if _counts(one, rules[seen.rule], seen, ledger):
            ledger.see(seen)
    ledger.save()
    outcomes.tell(rules, ledger.events)


def _counts(one: Round, rule: Rule, seen: Seen, ledger: Ledger) -> bool:
    """Whether a sample is looked at: none of an absence of the hub, and none from before a rule was new."""
    if any(absence.start < seen.at < absence.end for absence in one.absences):
        return False
    if rule.evaluated_until is not None or seen.at >= one.now - FIRST_LOOK:
        return True
    return (seen.rule, seen.server, seen.subject) in ledger
