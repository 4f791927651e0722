"""Contacts for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import AuditEntry
from alerts.models import Contact, Notification
from tests.alerts.notify.making import contact
from tests.cast import program_of

pytestmark = pytest.mark.django_db
PATH = "/api/alerts/contacts"
HOOK = {"name": "On call", "kind": "webhook", "address": "https://example.net/T0K3N"}


@pytest.fixture
def program(admin: User) -> Client:
    return program_of(admin)


def post(client: Client, path: str = "", **given: Any) -> Any:
    return client.post(PATH + path, json.dumps(given), "application/json")


def patch(client: Client, number: int, **given: Any) -> Any:
    return client.patch(f"{PATH}/{number}", json.dumps(given), "application/json")


def test_switching_a_broken_one_on_lets_it_be_tried_again(program: Client) -> None:
    ops = contact(broken_at=timezone.now(), broken_why="status:400")
    assert patch(program, ops.pk, enabled=True).json()["state"] == "on"
    assert list(AuditEntry.objects.values_list("event", flat=True)) == ["contact.enabled"]


def test_one_is_made_and_its_secret_told_once(program: Client) -> None:
    answer = post(program, **HOOK)
    said = answer.json()
    assert answer.status_code == 201
    assert (said["address"], said["state"], said["severity"]) == ("https://example.net/…", "on", "warning")
    assert said["secret"] == Contact.objects.get().secret
    again = program.get(f"{PATH}/{said['id']}").json()
    assert "secret" not in again
    assert "T0K3N" not in json.dumps(again)
    assert AuditEntry.objects.get().event == "contact.made"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " x"}, "name"),
        ({"kind": "pigeon"}, "kind"),
        ({"address": "http://10.0.0.1/"}, "address"),
        ({"severity": "dire"}, "severity"),
        ({"language": "de"}, "language"),
        ({"hours": {"days": []}}, "hours"),
        ({"hours": {"days": [9], "from": "08:00", "to": "09:00", "zone": "UTC"}}, "hours.days"),
        ({"allowInternal": "yes"}, "allowInternal"),
        ({"name": 5}, "name"),
    ],
)
def test_wrong_fields_are_named(program: Client, changed: Any, field: str) -> None:
    answer = post(program, **{**HOOK, **changed})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert "T0K3N" not in answer.content.decode()
    assert not Contact.objects.exists()


def test_several_wrong_types_are_named_at_once(program: Client) -> None:
    wrong: dict[str, Any] = {"name": 5, "allowInternal": "yes", "hours": []}
    answer = post(program, **{**HOOK, **wrong})
    assert set(answer.json()["fields"]) == {"name", "allowInternal", "hours"}
    answer = patch(program, contact().pk, severity=1, enabled="no")
    assert set(answer.json()["fields"]) == {"severity", "enabled"}
    assert answer.json()["fields"]["enabled"] == 'expected true or false or null, got "no"'


def test_what_is_left_out_stays(program: Client) -> None:
    made = contact()
    answer = patch(program, made.pk, severity="critical")
    assert (answer.status_code, answer.json()["severity"]) == (200, "critical")
    made.refresh_from_db()
    assert (made.address, made.enabled) == ("http://127.0.0.1:9/hook", True)
    assert patch(program, made.pk, enabled=False).json()["state"] == "off"
    answer = patch(program, made.pk, allowInternal=False)  # its address is an internal one
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["address"])
    assert Contact.objects.get().allow_internal


def test_operators_see_names_and_states_alone(operator: User, admin: User, program: Client) -> None:
    made = contact()
    theirs = program_of(operator)
    assert set(theirs.get(PATH).json()["contacts"][0]) == {"id", "name", "kind", "state", "brokenAt", "brokenWhy"}
    assert set(theirs.get(f"{PATH}/{made.pk}").json()) == {"id", "name", "kind", "state", "brokenAt", "brokenWhy"}
    assert program.get(PATH).json()["contacts"][0]["address"] == "http://127.0.0.1/…"


def test_nobody_else_may_do_anything(operator: User, viewer: User, client: Client) -> None:
    made = contact()
    assert client.get(PATH).status_code == 401
    assert program_of(viewer).get(PATH).status_code == 403
    theirs = program_of(operator)
    assert post(theirs, **HOOK).status_code == 403
    assert patch(theirs, made.pk, enabled=False).status_code == 403
    assert theirs.delete(f"{PATH}/{made.pk}").status_code == 403
    assert theirs.get(f"{PATH}/{made.pk}/tests").status_code == 403
    assert post(theirs, f"/{made.pk}/tests").status_code == 403
    assert post(theirs, f"/{made.pk}/secret").status_code == 403
    assert Contact.objects.get().enabled
    assert not Notification.objects.exists()


def test_a_test_is_queued_and_can_be_looked_at(program: Client) -> None:
    made = contact()
    answer = post(program, f"/{made.pk}/tests")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert post(program, f"/{made.pk}/tests").json()["id"] == answer.json()["id"]
    assert [row["id"] for row in program.get(f"{PATH}/{made.pk}/tests").json()["notices"]] == [answer.json()["id"]]


def test_a_secret_is_renewed_where_there_is_one(program: Client) -> None:
    made, mail = contact(), contact("mail", "a@example.net", kind="email", secret="")
    said = post(program, f"/{made.pk}/secret").json()
    assert said == {"secret": Contact.objects.get(pk=made.pk).secret}
    assert said["secret"] != "pmw_test"
    assert post(program, f"/{mail.pk}/secret").status_code == 409


def test_deleted_is_gone(program: Client) -> None:
    made = contact()
    assert program.delete(f"{PATH}/{made.pk}").status_code == 204
    for number in (made.pk, 2**70):
        assert program.get(f"{PATH}/{number}").status_code == 404
        assert program.delete(f"{PATH}/{number}").status_code == 404
    assert program.put(PATH).status_code == 405
