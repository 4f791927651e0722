"""Rules are made, changed, switched and deleted, each time with a record, and only by who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from actions.models import AuditEntry
from alerts import states
from alerts.models import Rule
from alerts.rules import changes, wanted
from pmonitor.problems import Problem
from servers.models import Server
from tests.alerts.rules.making import FAILED, MEMORY, contact, events, incident, rule

pytestmark = pytest.mark.django_db


def again(one: Rule) -> Rule:
    return Rule.objects.get(pk=one.pk)


def test_one_is_made_in_its_makers_name(operator: User) -> None:
    ops = contact()
    one = again(rule(operator, contacts=(ops.pk,), escalate_to=(ops.pk,), escalate_after_sec=900))
    assert (one.made_by, one.made_by_name, one.version, one.enabled) == (operator, "oleg", 1, True)
    assert one.params == {"metric": "mem", "below": False}
    assert list(one.contacts.all()) == list(one.escalate_to.all()) == [ops]
    entry = AuditEntry.objects.get(event="rule.made")
    assert (entry.target, entry.actor, entry.facts["rule"]) == (MEMORY.name, "oleg", one.pk)


def test_what_is_wrong_leaves_nothing_behind(operator: User) -> None:
    with pytest.raises(Problem) as raised:
        rule(operator, limit=200, name="")
    assert set(raised.value.fields) == {"limit", "name"}
    assert not Rule.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("changed", "version"),
    [
        ({"limit": 95.0}, 2),
        ({"params": {"metric": "cpu"}}, 2),
        ({"scope": "group:web env=prod"}, 2),
        ({"k": 2, "n": 3}, 2),
        ({"name": "Another"}, 1),
        ({"severity": "critical"}, 1),
        ({"remedy_cmd": "restart", "remedy_target": "a.service"}, 1),
        ({}, 1),
    ],
)
def test_its_version_grows_with_what_it_watches_for(operator: User, changed: dict[str, Any], version: int) -> None:
    one = rule(operator)
    changes.change(operator, one, wanted.of(one)._replace(**changed))
    assert again(one).version == version
    assert events(changed.get("name", MEMORY.name))[-1] == ("rule.changed" if changed else "rule.made")


def test_the_record_tells_what_was_changed(operator: User) -> None:
    one = rule(operator)
    ops = contact()
    changes.change(operator, one, wanted.of(one)._replace(limit=95.0, contacts=(ops.pk,)))
    facts = AuditEntry.objects.get(event="rule.changed").facts
    assert facts["changed"] == {"limit": [90.0, 95.0], "contacts": [[], [ops.pk]]}


def test_whoever_changes_it_answers_for_it(operator: User, admin: User) -> None:
    one = rule(operator)
    changes.change(admin, one, MEMORY._replace(limit=99))
    assert again(one).made_by == admin


def test_a_change_on_top_of_somebody_elses_is_told(operator: User, admin: User) -> None:
    one = rule(operator)
    seen = wanted.stamp(wanted.of(one))
    changes.change(admin, one, MEMORY._replace(limit=99.0), seen)
    with pytest.raises(Problem) as raised:
        changes.change(operator, one, MEMORY._replace(limit=70, clear_limit=60), seen)
    assert raised.value.status_code == 409
    assert again(one).limit == 99
    changes.change(operator, one, MEMORY._replace(limit=98), wanted.stamp(wanted.of(again(one))))
    assert again(one).limit == 98


def test_an_operator_cannot_touch_what_reaches_further(operator: User, admin: User) -> None:
    one = rule(admin, scope="")
    for move in (
        lambda: changes.change(operator, one, MEMORY),
        lambda: changes.switch(operator, one, False),
        lambda: changes.switch(operator, one, True),
        lambda: changes.delete(operator, one),
    ):
        with pytest.raises(PermissionDenied):
            move()
    assert events(MEMORY.name) == ["rule.made"]


def test_a_rule_that_reached_further_meanwhile_is_not_changed(operator: User, admin: User) -> None:
    one = rule(operator)
    changes.change(admin, one, MEMORY._replace(scope=""))
    with pytest.raises(PermissionDenied):
        changes.change(operator, one, MEMORY._replace(limit=99))
    assert again(one).limit == 90


def test_switching_off_closes_its_incidents(operator: User, web1: Server) -> None:
    one = rule(operator)
    open_one = incident(one, web1)
    changes.switch(operator, one, False)
    changes.switch(operator, one, False)
    open_one.refresh_from_db()
    assert (open_one.state, open_one.close_reason) == (states.CLOSED, states.RULE_OFF)
    assert not again(one).enabled
    changes.switch(operator, one, True)
    assert again(one).enabled
    assert events(MEMORY.name) == ["rule.made", "rule.disabled", "rule.enabled"]


def test_a_change_can_switch_it_off(operator: User, web1: Server) -> None:
    one = rule(operator)
    open_one = incident(one, web1)
    changes.change(operator, one, MEMORY._replace(enabled=False))
    open_one.refresh_from_db()
    assert open_one.close_reason == states.RULE_OFF


def test_who_switches_it_on_must_be_allowed_what_it_does(operator: User, admin: User) -> None:
    one = rule(admin, FAILED, remedy_cmd="restart", remedy_protected=True, enabled=False)
    with pytest.raises(Problem) as raised:
        changes.switch(operator, one, True)
    assert set(raised.value.fields) == {"remedy.protected"}
    changes.switch(admin, one, True)
    changes.switch(operator, one, False)
    assert not again(one).enabled


def test_deleting_keeps_what_it_was(operator: User, web1: Server) -> None:
    one = rule(operator)
    open_one = incident(one, web1)
    changes.delete(operator, one)
    open_one.refresh_from_db()
    assert (open_one.state, open_one.close_reason) == (states.CLOSED, states.RULE_DELETED)
    assert not Rule.objects.kept().exists()
    assert events(MEMORY.name) == ["rule.made", "rule.deleted"]
    for move in (
        lambda: changes.delete(operator, one),
        lambda: changes.switch(operator, one, True),
        lambda: changes.change(operator, one, MEMORY),
    ):
        with pytest.raises(Problem, match="deleted this rule meanwhile") as raised:
            move()
        assert raised.value.status_code == 409
    assert rule(operator).pk != one.pk  # its name is free again


def test_a_copy_has_a_name_of_its_own(operator: User) -> None:
    one = rule(operator, contacts=(contact().pk,))
    copy = changes.copy_of(one)
    assert copy == wanted.of(one)._replace(name=f"{MEMORY.name} 2")
    changes.make(operator, copy)
    assert changes.copy_of(one).name == f"{MEMORY.name} 3"
    long = rule(operator, name="x" * 80)
    assert changes.copy_of(long).name == "x" * 70 + " 2"


def test_there_may_be_only_so_many(operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    rule(operator)
    monkeypatch.setattr(changes, "MOST", 1)
    with pytest.raises(Problem) as raised:
        rule(operator, name="Another")
    assert raised.value.status_code == 409


def test_no_budget_is_kept_of_what_does_nothing(operator: User) -> None:
    one = rule(operator, remedy_most=9, remedy_within_sec=10**9)
    assert (again(one).remedy_most, again(one).remedy_within_sec) == (2, 3_600)
