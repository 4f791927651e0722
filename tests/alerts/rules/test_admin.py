"""Rules in the Django admin: the same checks, the same records."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import states
from alerts.models import Rule
from alerts.rules import changes, wanted
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.rules.making import MEMORY, contact, events, incident, rule

pytestmark = pytest.mark.django_db
BASE = "/admin/alerts/rule/"


def sent(given: wanted.Wanted = MEMORY, **changed: Any) -> dict[str, Any]:
    """What a browser sends of the admin's form."""
    columns = {name: value for name, value in wanted.columns(given).items() if value is not None and value is not False}
    many = {name: list(getattr(given, name)) for name in wanted.MANY}
    return {**columns, "params": json.dumps(given.params), **many, **changed}


def test_one_is_made_with_its_record(as_admin: Client) -> None:
    ops = contact()
    answer = as_admin.post(f"{BASE}add/", sent(MEMORY._replace(contacts=(ops.pk,))))
    assert answer.status_code == 302, re.findall(r"errorlist.*?</ul>", answer.content.decode())
    one = Rule.objects.get()
    assert (one.made_by_name, list(one.contacts.all())) == ("ada", [ops])
    assert events(MEMORY.name) == ["rule.made"]


def test_one_is_changed(as_admin: Client, admin: User) -> None:
    one = rule(admin)
    assert as_admin.post(f"{BASE}{one.pk}/change/", sent(limit=95)).status_code == 302
    assert (Rule.objects.get().limit, Rule.objects.get().version) == (95, 2)
    assert events(MEMORY.name) == ["rule.made", "rule.changed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"limit": 200}, "must be a number from 0 to 100"),
        ({"params": '{"metric": "procs"}', "limit": 90.5}, "must be a whole number from 0 to"),
        ({"params": '{"metric": "heat"}'}, "params.metric: must be one of"),
        ({"params": "[1]"}, "must be an object"),
        ({"params": "{"}, "Enter a valid JSON"),
        ({"remedy_cmd": "reboot", "remedy_target": "a"}, "must be one of restart, start, rollout"),
        ({"scope": '"'}, "quotation mark"),
        ({"kind": "weather"}, "is not one of the available choices"),
    ],
)
def test_the_same_is_wrong_as_everywhere(as_admin: Client, changed: dict[str, Any], said: str) -> None:
    assert said in text(as_admin.post(f"{BASE}add/", sent(**changed)))
    assert not Rule.objects.exists()


@pytest.mark.parametrize("way", ["one", "many"])
def test_deleting_closes_and_keeps(as_admin: Client, admin: User, web1: Server, way: str) -> None:
    one = rule(admin)
    open_one = incident(one, web1)
    if way == "one":
        as_admin.post(f"{BASE}{one.pk}/delete/", {"post": "yes"})
    else:
        as_admin.post(BASE, {"action": "delete_chosen", "_selected_action": [one.pk]})
    open_one.refresh_from_db()
    assert open_one.close_reason == states.RULE_DELETED
    assert Rule.objects.filter(pk=one.pk).exists()
    assert f"{BASE}{one.pk}/change/" not in text(as_admin.get(BASE))
    assert events(MEMORY.name) == ["rule.made", "rule.deleted"]


def test_djangos_own_deletion_is_not_offered(as_admin: Client, admin: User) -> None:
    rule(admin)
    shown = text(as_admin.get(BASE))
    assert "delete_selected" not in shown
    assert "memory used above 90% for 5 min" in shown


def test_only_admins_come_in(as_operator: Client) -> None:
    assert as_operator.get(BASE, follow=True).status_code == 403


def test_what_somebody_deleted_meanwhile_is_said(
    as_admin: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rule(admin)
    lock = changes._locked

    def somebody_is_faster(user: Any, locked: Rule) -> Rule:
        Rule.objects.filter(pk=one.pk).update(deleted_at=one.made_at)
        return lock(user, locked)

    monkeypatch.setattr(changes, "_locked", somebody_is_faster)
    shown = text(as_admin.post(f"{BASE}{one.pk}/change/", sent(limit=95), follow=True))
    assert "Somebody deleted this rule meanwhile." in shown
    assert events(MEMORY.name) == ["rule.made"]
