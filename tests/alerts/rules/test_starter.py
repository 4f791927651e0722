"""The rules a new hub begins with."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from alerts.models import Rule
from alerts.rules import changes, checks, kinds, starter
from alerts.rules.wanted import Wanted
from pmonitor import worker
from tests.alerts.rules.making import rule

pytestmark = pytest.mark.django_db


def test_they_are_made_where_there_has_never_been_a_rule() -> None:
    assert starter.make_once() == len(starter.STARTER)
    assert starter.make_once() == 0
    rules = list(Rule.objects.kept())
    assert len(rules) == len(starter.STARTER)
    assert {one.kind for one in rules} >= {kinds.SILENT, kinds.DISK_FILLING, kinds.FAILED, kinds.COMMAND_FAILED}
    assert all(one.enabled and one.scope == "" and one.made_by_name == "" for one in rules)
    assert not any(one.remedy_cmd or one.contacts.exists() for one in rules)


@pytest.mark.parametrize("given", starter.STARTER, ids=lambda given: given.name)
def test_each_makes_sense(given: Wanted, admin: User) -> None:
    assert checks.wrong(given, admin) == {}


def test_who_deletes_them_is_rid_of_them(admin: User) -> None:
    starter.make_once()
    for one in Rule.objects.kept():
        changes.delete(admin, one)
    assert starter.make_once() == 0
    assert not Rule.objects.kept().exists()


def test_who_has_rules_gets_none(operator: User) -> None:
    rule(operator)
    assert starter.make_once() == 0


def test_the_worker_makes_them() -> None:
    assert starter.make_once in [step.run for step in worker.STEPS]
