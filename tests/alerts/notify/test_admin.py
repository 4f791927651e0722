"""Contacts in the Django admin: the same checks, the same records, and no secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from actions.models import AuditEntry
from alerts.models import Contact
from tests.actions.pages import text
from tests.alerts.notify.making import contact

pytestmark = pytest.mark.django_db
HOOK = {
    "name": "On call", "kind": "webhook", "new_address": "https://example.net/T0K3N", "severity": "warning",
    "hours": "{}", "language": "en", "enabled": "on",
}  # fmt: skip


def test_one_is_made_with_its_record(as_admin: Client) -> None:
    shown = text(as_admin.post("/admin/alerts/contact/add/", HOOK, follow=True))
    made = Contact.objects.get()
    assert made.address == HOOK["new_address"]
    assert made.secret in shown
    assert AuditEntry.objects.get().event == "contact.made"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"new_address": "http://10.0.0.1/"}, "is an internal address"),
        ({"hours": json.dumps({"days": []})}, "must be"),
        ({"language": "de"}, "must be one of en, ro"),
    ],
)
def test_the_checks_are_those_of_the_page(as_admin: Client, changed: Any, sentence: str) -> None:
    assert sentence in text(as_admin.post("/admin/alerts/contact/add/", HOOK | changed))
    assert not Contact.objects.exists()


def test_a_change_keeps_the_address_and_shows_it_nowhere(as_admin: Client) -> None:
    made = contact(address="http://127.0.0.1:9/T0K3N")
    where = f"/admin/alerts/contact/{made.pk}/change/"
    assert "T0K3N" not in text(as_admin.get(where)) + text(as_admin.get("/admin/alerts/contact/"))
    given = {**HOOK, "name": "ops", "new_address": "", "severity": "critical", "allow_internal": "on"}
    assert as_admin.post(where, given).status_code == 302
    made.refresh_from_db()
    assert (made.severity, made.address) == ("critical", "http://127.0.0.1:9/T0K3N")
    assert AuditEntry.objects.get().event == "contact.changed"


def test_deleting_is_on_record(as_admin: Client) -> None:
    first, second = contact("a"), contact("b")
    as_admin.post(f"/admin/alerts/contact/{first.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [second.pk], "post": "yes"}
    as_admin.post("/admin/alerts/contact/", chosen)
    assert not Contact.objects.exists()
    assert list(AuditEntry.objects.values_list("event", flat=True)) == ["contact.deleted"] * 2


def test_notices_are_shown_and_never_changed(as_admin: Client) -> None:
    assert as_admin.get("/admin/alerts/notification/").status_code == 200
    assert as_admin.get("/admin/alerts/notification/add/").status_code == 403
