"""Rounds while rules, their scopes and the servers change; rules that cannot be evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts import moves, states, timeline
from alerts.evaluate import finders, rounds, rules_gone
from alerts.evaluate.found import OVER, Aim, Seen, Stretch
from alerts.models import Incident, Looked, Rule, Standing
from alerts.rules import kinds
from servers.models import Server
from tests.alerts.reporting import SECOND, a_rule, episodes, evaluate, recently, report, told

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND


def test_a_round_asks_as_much_of_many_rules_as_of_one(web1: Server) -> None:
    def asked(at: int) -> int:
        report({web1: 20}, start + at * STEP)
        with CaptureQueriesContext(connection) as queries:
            evaluate(start + at * STEP)
        return len(queries)

    start = recently()
    a_rule()
    asked(0)
    one = asked(1)
    for metric in kinds.READINGS:
        a_rule(params={"metric": metric}, limit=1e9, scope=f"name-{metric}")
    assert asked(2) == one


def test_a_rule_looks_at_the_servers_of_its_scope_alone(web1: Server, db1: Server) -> None:
    a_rule(scope="group:db")
    start = recently()
    report({web1: 95, db1: 95}, start)
    evaluate(start)
    assert Incident.objects.get().server == db1


def test_a_server_that_leaves_the_scope_takes_its_incident_with_it(db1: Server) -> None:
    a_rule(scope="group:db")
    start = recently()
    told(db1, [95], start)
    Server.objects.update(group=None)
    evaluate(start + STEP)
    one = Incident.objects.get()
    assert (one.state, one.close_reason, one.closed_at) == (states.CLOSED, states.SUBJECT_GONE, start + STEP)
    assert not Standing.objects.exists()


def test_a_deleted_server_takes_its_incidents_with_it(web1: Server, web2: Server) -> None:
    a_rule()
    start = recently()
    report({web1: 95, web2: 95}, start)
    evaluate(start)
    web1.delete()
    told(web2, [95], start + STEP)
    assert Incident.objects.get().server == web2


@pytest.mark.parametrize("reason", [states.RULE_OFF, states.RULE_DELETED])
def test_a_rule_that_goes_closes_its_incidents_and_forgets_what_stood(web1: Server, web2: Server, reason: str) -> None:
    rule, other, start = a_rule(for_sec=10), a_rule(), recently()
    report({web1: 95}, start)
    evaluate(start)
    report({web1: 95, web2: 95}, start + STEP)
    evaluate(start + STEP)
    Rule.objects.filter(pk=rule.pk).update(enabled=False)
    closed = rules_gone.forget(rule, reason)
    assert [(one.server, one.close_reason) for one in closed] == [(web1, reason)]
    assert not Standing.objects.filter(rule=rule).exists()
    told(web1, [95, 95], start + 2 * STEP)
    assert not Incident.objects.live().filter(rule=rule).exists()
    assert Incident.objects.live().filter(rule=other).count() == 2


def test_a_changed_rule_begins_anew_but_keeps_what_still_holds(web1: Server, web2: Server) -> None:
    rule, start = a_rule(for_sec=10), recently()
    for place in range(2):
        report({web1: 99, web2: 95}, start + place * STEP)
        evaluate(start + place * STEP)
    assert Incident.objects.live().count() == 2
    Rule.objects.filter(pk=rule.pk).update(limit=97, version=2)
    report({web1: 99, web2: 95}, start + 2 * STEP)
    evaluate(start + 2 * STEP)
    assert [(one.server, one.opened_at) for one in Incident.objects.live()] == [(web1, start + STEP)]
    assert Incident.objects.get(server=web2).close_reason == states.CLEARED


def test_what_is_pending_does_not_count_for_a_changed_rule(web1: Server) -> None:
    rule, start = a_rule(for_sec=20), recently()
    told(web1, [95, 95], start)
    Rule.objects.filter(pk=rule.pk).update(version=2)
    told(web1, [95, 95, 95], start + 2 * STEP)
    assert episodes(start) == [("srv-web-01", 20, 40, None)]


def test_what_was_closed_by_hand_does_not_come_back_while_it_lasts(web1: Server) -> None:
    a_rule()
    start = recently()
    told(web1, [95], start)
    moves.close([moves.Closing(Incident.objects.get().pk, start, states.BY_HAND)])
    told(web1, [95, 20, 95], start + STEP)
    assert episodes(start) == [("srv-web-01", 0, 0, 0), ("srv-web-01", 30, 30, None)]


def test_a_disabled_rule_is_not_evaluated(web1: Server) -> None:
    a_rule(enabled=False)
    a_rule(deleted_at=timezone.now())
    told(web1, [95], recently())
    assert not Incident.objects.exists()


def test_a_rule_that_cannot_be_understood_stops_no_other(web1: Server, caplog: pytest.LogCaptureFixture) -> None:
    a_rule(params={"metric": "happiness"})
    a_rule(limit=None)
    good = a_rule()
    told(web1, [95], recently())
    assert Incident.objects.get().rule == good
    assert "happiness" in caplog.text


def test_a_kind_that_fails_is_rolled_back_alone_and_nothing_is_lost(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_rule()
    clock = a_rule(kind=kinds.SKEW, params={}, limit=5)
    start = recently()

    def broken(*_given: object) -> list[Seen]:
        rule = Rule.objects.get(kind=kinds.READING)
        Rule.objects.update(name="half done")
        return [Seen(rule.pk, web1.pk, "", start, OVER), Seen(999, web1.pk, "", start, OVER)]

    report({web1: 95}, start, ahead=-12)
    with monkeypatch.context() as patch:
        patch.setitem(finders.FINDERS, kinds.READING, broken)
        with pytest.raises(rounds.Failed, match="reading"):
            evaluate(start)
    assert Incident.objects.get().rule == clock
    assert not Rule.objects.filter(name="half done").exists()
    report({web1: 20}, start + STEP)
    evaluate(start + STEP)
    assert Incident.objects.get(kind=kinds.READING).closed_at == start + STEP


def test_a_rule_that_fails_stops_no_other_of_its_kind(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, *others = (a_rule(name=name) for name in ("bad", "one", "two", "three"))
    find, start = finders.FINDERS[kinds.READING], recently()

    def broken(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
        if bad.pk in {aim.rule.pk for aim in aims}:
            raise ValueError
        return find(aims, stretch, standings)

    monkeypatch.setitem(finders.FINDERS, kinds.READING, broken)
    for place, cpu in enumerate((95, 95, 20)):
        report({web1: cpu}, start + place * STEP)
        with pytest.raises(rounds.Failed, match=r"^1 of 4 rules: bad \(reading\): ValueError$"):
            evaluate(start + place * STEP)
    found = Incident.objects.values_list("rule__name", "opened_at", "closed_at")
    assert sorted(found) == sorted((one.name, start, start + 2 * STEP) for one in others)
    assert Rule.objects.get(evaluated_until=None) == bad


def test_without_rules_nothing_is_asked(web1: Server) -> None:
    report({web1: 95}, recently())
    with CaptureQueriesContext(connection) as queries:
        evaluate(recently())
    assert len(queries) <= 6
    assert not Looked.objects.exists()


def test_standing_and_incident_are_one_transaction(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    a_rule()
    start = recently()
    report({web1: 95}, start)

    def refuse(move: str, _incidents: object) -> None:
        raise RuntimeError(move)

    with monkeypatch.context() as patch:
        patch.setattr(timeline, "LISTENERS", [refuse])
        with pytest.raises(rounds.Failed):
            evaluate(start)
    assert not Incident.objects.exists()
    assert not Standing.objects.exists()
    evaluate(start + timedelta(seconds=1))
    assert episodes(start) == [("srv-web-01", 0, 0, None)]
