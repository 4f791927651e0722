"""Rules in the palette."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from alerts.models import Rule
from alerts.rules import changes
from servers import search
from tests.alerts.rules.making import FAILED, rule

pytestmark = pytest.mark.django_db


def found(user: User, said: str) -> list[tuple[str, str]]:
    return [(hit.text, hit.url) for hit in search.find(user, said) if hit.kind == "rule"]


def test_rules_are_found_by_all_words_of_their_names(viewer: User, operator: User) -> None:
    one, off = rule(operator), rule(operator, FAILED, name="Web memory <b>")
    Rule.objects.filter(pk=off.pk).update(enabled=False)
    first, second = ("Memory high on web", f"/alerts/rules/{one.pk}/"), ("Web memory <b>", f"/alerts/rules/{off.pk}/")
    assert found(viewer, "MEM web") == [first, second]
    assert found(viewer, "high mem") == [first]
    assert found(viewer, "mem%") == []
    assert found(viewer, "") == []


def test_a_deleted_rule_is_not_found(viewer: User, operator: User) -> None:
    one = rule(operator)
    changes.delete(operator, one)
    assert found(viewer, "memory") == []
