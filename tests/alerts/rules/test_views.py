"""The pages of rules: the list, who may do what, switching, deleting, and the record."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from actions.models import AuditEntry
from alerts.models import Rule
from alerts.rules import changes, kinds, starter
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.rules.filled import HTMX, LIST, typed
from tests.alerts.rules.making import FAILED, MEMORY, contact, events, incident, rule
from tests.cast import signed_in

pytestmark = pytest.mark.django_db
EVIL = "<img src=x onerror=alert(1)>"


def said(shown: str) -> list[str]:
    """The names in the list, in its order."""
    return re.findall(r'<th scope="row"><a class="clip" href="[^"]*" title="([^"]*)"', shown)


# The list


def test_the_list_tells_each_rule_in_a_sentence(as_viewer: Client, operator: User, web1: Server) -> None:
    one = rule(operator, FAILED, remedy_cmd="restart", contacts=(contact("ops").pk,))
    incident(one, web1, days_ago=2)
    shown = text(as_viewer.get(LIST))
    assert "nginx.service failed; restarts it, 2 an hour at most" in shown
    assert "group:web" in shown
    assert ">ops<" in shown.replace("\n", "")
    assert '<td class="num p2">1</td>' in shown
    assert "Nobody is told yet" not in shown


def test_what_fired_elsewhere_is_not_counted(
    as_viewer: Client, admin: User, as_admin: Client, web1: Server, db1: Server
) -> None:
    one = rule(admin, scope="")
    incident(one, db1)
    incident(one, web1, days_ago=31)
    assert '<td class="num p2"><span class="muted">0</span></td>' in text(as_viewer.get(LIST))
    assert '<td class="num p2">1</td>' in text(as_admin.get(LIST))


def test_nobody_is_told_yet(as_viewer: Client, operator: User) -> None:
    rule(operator)
    shown = text(as_viewer.get(LIST))
    assert "Nobody is told yet." in shown
    assert 'href="/alerts/contacts/"' in shown


def test_an_empty_list_says_so(as_viewer: Client) -> None:
    assert "There is no rule: nothing is watched for." in text(as_viewer.get(LIST))


def test_it_is_filtered_and_sorted(as_viewer: Client, operator: User, web1: Server) -> None:
    quiet, loud = rule(operator, name="Alpha"), rule(operator, FAILED, name="Beta", severity="critical")
    incident(loud, web1)
    changes.switch(operator, quiet, False)
    assert said(text(as_viewer.get(LIST))) == ["Alpha", "Beta"]
    assert said(text(as_viewer.get(LIST, {"sort": "fired"}))) == ["Beta", "Alpha"]
    assert said(text(as_viewer.get(LIST, {"sort": "last"}))) == ["Beta", "Alpha"]
    assert said(text(as_viewer.get(LIST, {"q": "NGINX failed"}))) == ["Beta"]
    assert said(text(as_viewer.get(LIST, {"state": "off"}))) == ["Alpha"]
    assert said(text(as_viewer.get(LIST, {"state": "on"}))) == ["Beta"]
    assert said(text(as_viewer.get(LIST, {"severity": "critical"}))) == ["Beta"]
    assert "No rule matches the filter." in text(as_viewer.get(LIST, {"q": "\0nothing"}))


def test_the_list_takes_as_many_queries_for_many_rules(
    as_operator: Client, operator: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        rule(operator, name=f"Rule {number}", contacts=(contact(f"ops{number}").pk,))
    as_operator.get(LIST)
    with django_assert_max_num_queries(12):
        assert len(said(text(as_operator.get(LIST)))) == 12


def test_a_viewer_is_shown_no_way_to_change_it(as_viewer: Client, operator: User) -> None:
    one = rule(operator)
    for address in (LIST, f"{LIST}{one.pk}/"):
        shown = text(as_viewer.get(address))
        assert MEMORY.name in shown
        for way in ('role="switch"', "New rule", "Save rule", "Delete", "Clone", 'id="rule"'):
            assert way not in shown


def test_names_are_text(as_operator: Client, operator: User) -> None:
    one = rule(operator, name=EVIL, scope=f'group:web "{EVIL}"')
    for address in (LIST, f"{LIST}{one.pk}/", f"{LIST}{one.pk}/clone/", f"{LIST}{one.pk}/delete/"):
        shown = text(as_operator.get(address))
        assert EVIL not in shown
        assert "&lt;img" in shown


def test_it_speaks_romanian(as_operator: Client, operator: User) -> None:
    rule(operator)
    as_operator.cookies["django_language"] = "ro"
    shown = text(as_operator.get(LIST))
    assert 'lang="ro"' in shown
    assert "%(" not in shown


# Who may


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "new/"), ("post", "new/"), ("post", "{}/"), ("get", "{}/clone/"), ("post", "{}/on/"),
        ("post", "{}/off/"), ("get", "{}/delete/"), ("post", "{}/delete/"), ("get", "fields/"), ("get", "matches/"),
        ("get", "preview/"),
    ],
)  # fmt: skip
def test_a_viewer_cannot(as_viewer: Client, operator: User, method: str, path: str) -> None:
    one = rule(operator)
    answer = getattr(as_viewer, method)(LIST + path.format(one.pk), typed())
    assert answer.status_code == 403
    assert events(MEMORY.name) == ["rule.made"]


@pytest.mark.parametrize("path", ["{}/", "{}/on/", "{}/off/", "{}/delete/"])
def test_an_outsider_cannot_change_another_groups(as_outsider: Client, operator: User, path: str) -> None:
    one = rule(operator)
    assert as_outsider.post(LIST + path.format(one.pk), typed(limit="50")).status_code == 403
    shown = text(as_outsider.get(f"{LIST}{one.pk}/"))
    assert "It is for more servers than yours." in shown
    assert "Save rule" not in shown
    assert 'role="switch"' not in text(as_outsider.get(LIST))
    assert events(MEMORY.name) == ["rule.made"]


@pytest.mark.parametrize("path", ["", "new/", "{}/", "{}/delete/"])
def test_who_is_not_signed_in_is_asked_to(operator: User, path: str) -> None:
    one = rule(operator)
    answer = Client().get(LIST + path.format(one.pk))
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/")


@pytest.mark.parametrize(
    ("method", "path"), [("post", ""), ("get", "{}/on/"), ("get", "{}/off/"), ("post", "preview/")]
)
def test_another_method_is_refused(as_operator: Client, operator: User, method: str, path: str) -> None:
    one = rule(operator)
    assert getattr(as_operator, method)(LIST + path.format(one.pk)).status_code == 405


@pytest.mark.parametrize("path", ["9/", "9/clone/", "9/delete/", "99999999999999999999/"])
def test_what_is_not_there_is_not_found(as_operator: Client, path: str) -> None:
    assert as_operator.get(LIST + path).status_code == 404


def test_a_deleted_one_is_not_found(as_operator: Client, operator: User) -> None:
    one = rule(operator)
    changes.delete(operator, one)
    assert as_operator.get(f"{LIST}{one.pk}/").status_code == 404


@pytest.mark.parametrize("path", ["on/", "off/", "delete/"])
def test_moving_a_deleted_one_says_that_it_is_gone(as_operator: Client, operator: User, path: str) -> None:
    one = rule(operator)
    changes.delete(operator, one)
    assert as_operator.post(f"{LIST}{one.pk}/{path}")["Location"] == LIST
    assert "Somebody deleted this rule meanwhile." in text(as_operator.get(LIST))
    assert not Rule.objects.kept().exists()


# Switching and deleting


def test_the_switch_answers_with_its_row(as_operator: Client, operator: User) -> None:
    one = rule(operator)
    shown = text(as_operator.post(f"{LIST}{one.pk}/off/", headers=HTMX))
    assert shown.strip().startswith(f'<tr id="rule-{one.pk}">')
    assert 'aria-checked="false"' in shown
    assert not Rule.objects.get().enabled
    assert as_operator.post(f"{LIST}{one.pk}/on/")["Location"] == LIST  # without scripts
    assert Rule.objects.get().enabled


def test_a_switch_that_is_refused_says_why(as_operator: Client, admin: User) -> None:
    one = rule(admin, FAILED, remedy_cmd="restart", remedy_protected=True, enabled=False)
    assert as_operator.post(f"{LIST}{one.pk}/on/", headers=HTMX)["HX-Redirect"] == LIST
    assert "only an admin lets a rule act on protected services" in text(as_operator.get(LIST))
    assert not Rule.objects.get().enabled


def test_deleting_asks_first(as_operator: Client, operator: User, web1: Server) -> None:
    one = rule(operator)
    incident(one, web1)
    asked = text(as_operator.get(f"{LIST}{one.pk}/delete/", headers=HTMX))
    assert "1 open incident of it closes." in asked
    assert "<html" not in asked
    assert "<html" in text(as_operator.get(f"{LIST}{one.pk}/delete/"))
    assert Rule.objects.kept().exists()
    assert as_operator.post(f"{LIST}{one.pk}/delete/")["Location"] == LIST
    assert not Rule.objects.kept().exists()


def test_too_many_changes_are_refused_in_words(as_operator: Client, operator: User, settings: Any) -> None:
    one = rule(operator)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (1, 60)}
    as_operator.post(f"{LIST}{one.pk}/off/")
    assert "Too many requests" in text(as_operator.post(f"{LIST}{one.pk}/", typed(limit="95")), 429)
    as_operator.post(f"{LIST}{one.pk}/delete/")
    assert "Too many requests" in text(as_operator.get(LIST))
    assert Rule.objects.kept().exists()


# On record


def test_the_audit_trail_tells_of_it(as_admin: Client, operator: User, admin: User) -> None:
    one = rule(operator, name=EVIL)
    changes.switch(operator, one, False)
    changes.delete(operator, one)
    shown = text(as_admin.get("/audit/"))
    for word in ("Rule made", "Rule switched off", "Rule deleted", "&lt;img"):
        assert word in shown
    assert EVIL not in shown
    assert AuditEntry.objects.filter(target=EVIL).count() == 3


def test_the_starter_set_is_listed(as_admin: Client, admin: User) -> None:
    starter.make_once()
    client = signed_in(admin)
    assert len(said(text(client.get(LIST)))) == len(starter.STARTER)
    one = Rule.objects.get(kind=kinds.SILENT)
    assert "came with the hub" not in text(client.get(f"{LIST}{one.pk}/"))
