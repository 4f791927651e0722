"""Pages say that rules are not evaluated as they should be."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from alerts.evaluate import overdue, rounds
from alerts.models import Rule
from pmonitor.models import StepRun
from tests.alerts.incidents.pages import text, words
from tests.alerts.reporting import a_rule

pytestmark = pytest.mark.django_db
PAGES = ["/alerts/", "/alerts/rules/"]
ERROR = "Failed: 1 of 2 rules: bad <b> (reading): ValueError"
LATE = overdue.LATE + timedelta(seconds=90)


def ran(ago: timedelta = timedelta(0), error: str = "") -> None:
    StepRun.objects.update_or_create(
        name=StepRun.name_of(rounds.evaluate), defaults={"ran_at": timezone.now() - ago, "seconds": 0.1, "error": error}
    )


def rule(name: str, evaluated: datetime | None) -> Rule:
    return a_rule(name=name, made_at=timezone.now() - timedelta(days=1), evaluated_until=evaluated)


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_said_while_all_is_well(as_admin: Client, page: str) -> None:
    ran()
    rule("well", timezone.now())
    assert "rules-overdue" not in text(as_admin.get(page))


@pytest.mark.parametrize("page", PAGES)
def test_everybody_is_told_that_rounds_are_late(as_viewer: Client, page: str) -> None:
    ran(LATE)
    rule("late", timezone.now() - LATE)
    shown = words(text(as_viewer.get(page)))
    assert "Rules were last evaluated at" in shown
    assert re.search(r"\( ?2 min ago ?\) ?; incidents may be missing\.", shown)


@pytest.mark.parametrize("page", PAGES)
def test_a_failing_round_is_told_and_its_error_to_admins_alone(as_viewer: Client, as_admin: Client, page: str) -> None:
    ran(error=ERROR)
    rule("well", timezone.now())
    bad = rule("bad <b>", timezone.now() - LATE)
    told, mine = text(as_viewer.get(page)), text(as_admin.get(page))
    assert "Some rules cannot be evaluated; incidents may be missing." in told
    assert f'href="/alerts/rules/{bad.pk}/">bad &lt;b&gt;</a>' in told
    assert "ValueError" not in told
    assert "bad &lt;b&gt; (reading): ValueError" in mine


def test_a_failing_rules_own_page_says_so(as_viewer: Client, as_admin: Client) -> None:
    ran(error=ERROR)
    bad, never, well = rule("bad", timezone.now() - LATE), rule("never", None), rule("well", timezone.now())
    pages = [f"/alerts/rules/{one.pk}/" for one in (bad, never, well)]
    said = [words(text(as_viewer.get(page))) for page in pages]
    assert ["This rule is not evaluated" in one for one in said] == [True, True, False]
    assert re.search(r"\( ?2 min ago ?\)", said[0])
    assert "It has never been evaluated." in said[1]
    assert "ValueError" not in said[0]
    assert "ValueError" in text(as_admin.get(pages[0]))


def test_what_was_off_for_long_or_is_off_is_not_called_failing(as_viewer: Client) -> None:
    ran()
    again, off = rule("again", timezone.now() - LATE), rule("off", None)
    Rule.objects.filter(pk=again.pk).update(made_at=timezone.now())  # who switches one on makes it theirs
    Rule.objects.filter(pk=off.pk).update(enabled=False)
    for one in (again, off):
        assert "rule-overdue" not in text(as_viewer.get(f"/alerts/rules/{one.pk}/"))
