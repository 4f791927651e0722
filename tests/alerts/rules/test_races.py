"""Two people at once, on a real database."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from alerts.models import Rule
from alerts.rules import changes, starter, wanted
from pmonitor.problems import Problem
from tests.actions.test_races import ROUNDS, together
from tests.alerts.rules.making import MEMORY, events, rule

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_editors_one_is_told_of_the_other(operator: User, admin: User) -> None:
    one = rule(operator)
    for number in range(ROUNDS):
        seen = wanted.stamp(wanted.of(Rule.objects.get(pk=one.pk)))
        said: list[int] = []

        def save(user: User, limit: float, seen: str = seen, said: list[int] = said) -> None:
            try:
                changes.change(user, one, MEMORY._replace(limit=limit), seen)
            except Problem as problem:
                said.append(problem.status_code)

        together(lambda: save(operator, 86 + number / 100), lambda: save(admin, 87 + number / 100))  # noqa: B023
        assert said == [409]
    assert events(MEMORY.name).count("rule.changed") == ROUNDS


def test_of_two_with_one_name_the_second_is_told(operator: User, admin: User) -> None:
    for number in range(ROUNDS):
        said: list[dict[str, str]] = []

        def make(user: User, name: str = f"Rule {number}", said: list[dict[str, str]] = said) -> None:
            try:
                rule(user, name=name)
            except Problem as problem:
                said.append(problem.fields)

        together(lambda: make(operator), lambda: make(admin))
        assert [list(fields) for fields in said] == [["name"]]
        assert events(f"Rule {number}") == ["rule.made"]


def test_two_deletions_and_a_change_close_it_once(operator: User) -> None:
    for number in range(ROUNDS):
        name = f"Rule {number}"
        one = rule(operator, name=name)

        said: list[int] = []

        def attempt(move: str, one: Rule = one, name: str = name, said: list[int] = said) -> None:
            try:
                if move == "delete":
                    changes.delete(operator, one)
                else:
                    changes.change(operator, one, MEMORY._replace(name=name, limit=95))
            except Problem as problem:
                said.append(problem.status_code)

        together(lambda: attempt("delete"), lambda: attempt("delete"), lambda: attempt("change"))
        assert set(said) == {409}
        assert events(name).count("rule.deleted") == 1
        assert not Rule.objects.kept().filter(name=name).exists()


def test_two_workers_make_the_starter_set_once() -> None:
    made: list[int] = []
    together(*[lambda: made.append(starter.make_once())] * 3)
    assert sorted(made) == [0, 0, len(starter.STARTER)]
    assert Rule.objects.count() == len(starter.STARTER)
