"""Sending a test to those whom the rule in the editor is to tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.models import Contact, Notification, Rule
from alerts.notify import models
from tests.actions.pages import text
from tests.alerts.rules.filled import HTMX, NEW, typed, typed_in
from tests.alerts.rules.making import contact, events, rule
from tests.cast import signed_in

pytestmark = pytest.mark.django_db


def told(*contacts: Contact) -> dict[str, Any]:
    """The form for a new rule that tells these, with the button pressed."""
    return {**typed(), "contacts": [one.pk for one in contacts], "again": "test"}


def said(shown: str) -> str:
    """What the editor says of the test."""
    (found,) = re.findall(r'<p id="rule-tested".*?</p>', shown, re.S)
    return re.sub(r"<[^>]+>", "", found).strip()


def queued() -> list[tuple[str, str]]:
    return list(Notification.objects.order_by("contact__name").values_list("contact__name", "event"))


def test_each_ticked_contact_gets_one_test_and_nothing_is_saved(as_operator: Client) -> None:
    ops, chat, _other = contact("ops"), contact("chat"), contact("other")
    answer = as_operator.post(NEW, told(ops, chat))
    assert answer.status_code == 200
    assert said(text(answer)).startswith("A test goes to chat, ops.")
    assert typed_in(text(answer))["name"] == typed()["name"]
    assert queued() == [("chat", models.TEST), ("ops", models.TEST)]
    assert (events("ops"), events("chat"), events("other")) == (["contact.tested"], ["contact.tested"], [])
    assert not Rule.objects.filter(name=typed()["name"]).exists()


def test_whom_it_escalates_to_is_tried_too_and_nobody_twice(as_operator: Client) -> None:
    ops, boss = contact("ops"), contact("boss")
    as_operator.post(NEW, {**told(ops), "escalate_to": [ops.pk, boss.pk]})
    as_operator.post(NEW, told(ops))  # one at a time
    assert queued() == [("boss", models.TEST), ("ops", models.TEST)]


def test_broken_and_switched_off_ones_are_named(as_operator: Client) -> None:
    ops, gone, off = contact("ops"), contact("<b>gone"), contact("off")
    Contact.objects.filter(pk=gone.pk).update(broken_at=timezone.now(), broken_why="status:410")
    Contact.objects.filter(pk=off.pk).update(enabled=False)
    shown = said(text(as_operator.post(NEW, told(ops, gone, off), headers=HTMX)))
    assert "No incident is told to: &lt;b&gt;gone (broken), off (off)." in shown
    assert len(queued()) == 3


@pytest.mark.parametrize("chosen", [[], [999_999], ["x"]])
def test_nobody_to_tell_is_said(as_operator: Client, chosen: list[object]) -> None:
    contact()
    answer = as_operator.post(NEW, {**told(), "contacts": chosen})
    assert (answer.status_code, said(answer.content.decode())) == (400, "Choose first whom the rule tells.")
    shown = as_operator.post(NEW, {**told(), "contacts": chosen}, headers=HTMX)
    assert (shown.status_code, said(text(shown))) == (200, "Choose first whom the rule tells.")
    assert queued() == []


def test_a_rule_that_could_not_be_saved_tells_its_contacts_all_the_same(as_operator: Client) -> None:
    assert "A test goes to ops." in said(text(as_operator.post(NEW, {**told(contact()), "limit": "much"})))


def test_in_the_editor_of_a_rule(as_operator: Client, operator: User) -> None:
    one, ops = rule(operator), contact()
    assert "A test goes to ops." in said(text(as_operator.post(f"/alerts/rules/{one.pk}/", told(ops))))
    assert events(one.name) == ["rule.made"]


def test_viewers_and_whose_rule_it_is_not_cannot(as_viewer: Client, outsider: User, admin: User) -> None:
    ops, theirs = contact(), rule(admin, scope="")
    assert as_viewer.post(NEW, told(ops)).status_code == 403
    assert as_viewer.post(f"/alerts/rules/{theirs.pk}/", told(ops)).status_code == 403
    assert signed_in(outsider).post(f"/alerts/rules/{theirs.pk}/", told(ops)).status_code in (403, 404)
    assert Client(enforce_csrf_checks=True).post(NEW, told(ops)).status_code in (302, 403)
    assert queued() == []


def test_too_many_are_refused_and_none_is_sent(as_operator: Client, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (2, 3600)}
    answer = as_operator.post(NEW, told(contact("a"), contact("b"), contact("c")))
    assert answer.status_code == 429
    assert said(answer.content.decode()).startswith("Too many requests")
    assert queued() == []


def test_enter_saves_and_does_not_send_a_test(as_operator: Client) -> None:
    contact()
    form = text(as_operator.get(NEW)).split('id="rule"')[1]
    first = re.findall(r"<button[^>]*>", form)[0]  # what a browser presses then
    assert "name=" not in first


def test_who_makes_rules_is_offered_it_where_there_is_somebody_to_tell(as_operator: Client) -> None:
    assert "Send a test" not in text(as_operator.get(NEW))
    contact()
    assert "Send a test" in text(as_operator.get(NEW))
