"""The pages of contacts: who sees what, forms, and that addresses and secrets are never shown again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import AuditEntry
from alerts.models import Contact, Notification
from alerts.notify import live, models
from pmonitor.live import View
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.notify.making import contact, opened, rule

pytestmark = pytest.mark.django_db
FORM = {
    "name": "On call", "kind": "email", "address": "oncall@example.net", "severity": "critical", "language": "ro",
    "enabled": "on",
}  # fmt: skip
SECRETIVE = "http://127.0.0.1:9/services/T0K3N"


def events() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("event", flat=True))


def test_an_admin_makes_a_contact(as_admin: Client, admin: User) -> None:
    answer = as_admin.post("/alerts/contacts/new/", FORM)
    assert (answer.status_code, answer["Location"]) == (302, "/alerts/contacts/")
    made = Contact.objects.get()
    assert (made.name, made.kind, made.address, made.severity, made.language, made.hours) == (
        "On call", "email", "oncall@example.net", "critical", "ro", {},
    )  # fmt: skip
    assert made.made_by_name == "ada"
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.actor, entry.target) == ("contact.made", "ada", "On call")
    assert "oncall@" not in repr(entry.facts)


def test_hours_are_kept_as_they_were_written(as_admin: Client) -> None:
    hours = {"limited": "on", "days": ["0", "6"], "begins": "22:00", "ends": "06:00", "zone": "Europe/Bucharest"}
    as_admin.post("/alerts/contacts/new/", FORM | hours)
    made = Contact.objects.get()
    assert made.hours == {"days": [0, 6], "from": "22:00", "to": "06:00", "zone": "Europe/Bucharest"}
    assert "Mon, Sun 22:00–06:00 Europe/Bucharest" in text(as_admin.get("/alerts/contacts/"))
    shown = text(as_admin.get(f"/alerts/contacts/{made.pk}/"))
    assert 'name="days" value="6" checked' in shown


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": "taken"}, "is the name of another contact"),
        ({"address": ""}, "must be 1 to 1000 printable characters"),
        ({"address": "nobody"}, "must be an e-mail address"),
        ({"address": "a@b.example\nBcc: c@d.example"}, "must be 1 to 1000 printable characters"),
        ({"kind": "slack", "address": "http://hooks.slack.com/x"}, "must be an address such as https://"),
        ({"kind": "webhook", "address": "ftp://example.net/"}, "must be an address such as https://"),
        ({"kind": "webhook", "address": "http://user:pass@example.net/"}, "must have no user, password or #"),
        ({"kind": "webhook", "address": "http://[::1]/"}, "is an internal address"),
        ({"kind": "webhook", "address": "http://[::1"}, "must be an address such as https://"),
        ({"kind": "webhook", "address": "http://169.254.169.254/latest"}, "is an internal address"),
        ({"kind": "apprise", "address": "nonsense"}, "is no address that Apprise can use"),
        ({"kind": "apprise", "address": "json://example.net/"}, "names a host of its own or this machine"),
        ({"kind": "pigeon"}, "Select a valid choice"),
        ({"severity": "dire"}, "Select a valid choice"),
        ({"language": "xx"}, "must be one of en, ro"),
        ({"limited": "on"}, "name at least one day"),
        ({"limited": "on", "days": ["0"], "begins": "x", "ends": "08:00"}, "write a time such as 08:00"),
        ({"limited": "on", "days": ["0"], "begins": "08:00", "ends": "09:00", "zone": "../etc"}, "is no time zone"),
    ],
)
def test_wrong_fields_are_named_and_nothing_typed_is_lost(as_admin: Client, changed: Any, sentence: str) -> None:
    contact("taken")
    answer = as_admin.post("/alerts/contacts/new/", FORM | {"zone": "Europe/Chisinau"} | changed)
    shown = text(answer, 400)
    assert sentence in shown
    assert ("zone" in changed) or 'value="Europe/Chisinau"' in shown
    assert Contact.objects.count() == 1
    assert events() == []


def test_all_wrong_fields_are_named_at_once(as_admin: Client) -> None:
    hours = {"limited": "on", "begins": "x", "ends": "25:00", "zone": "Mars/Crater"}
    given = {**FORM, **hours, "name": "", "address": "", "severity": "dire", "language": "xx"}
    shown = text(as_admin.post("/alerts/contacts/new/", given), 400)
    named = set(re.findall(r'id="(\w+)-e"', shown))
    assert named == {"name", "address", "severity", "language", "days", "begins", "ends", "zone"}
    assert "Wrong input" not in shown
    assert not Contact.objects.exists()


def test_of_a_changed_one_all_wrong_fields_are_named_at_once(as_admin: Client) -> None:
    address = f"/alerts/contacts/{contact().pk}/"
    shown = text(as_admin.post(address, {**FORM, "name": "", "address": "nobody"}), 400)
    assert set(re.findall(r'id="(\w+)-e"', shown)) == {"name", "address"}


def test_a_webhooks_secret_is_shown_once(as_admin: Client) -> None:
    answer = as_admin.post("/alerts/contacts/new/", FORM | {"kind": "webhook", "address": "https://example.net/hook"})
    made = Contact.objects.get()
    assert made.secret.startswith("pmw_")
    assert made.secret in text(answer)
    assert "no-store" in answer["Cache-Control"]
    for page in ("/alerts/contacts/", f"/alerts/contacts/{made.pk}/", "/audit/"):
        assert made.secret not in text(as_admin.get(page))
    renewed = as_admin.post(f"/alerts/contacts/{made.pk}/secret/")
    assert Contact.objects.get().secret != made.secret
    assert Contact.objects.get().secret in text(renewed)
    assert events() == ["contact.made", "contact.secret_renewed"]


def test_an_address_is_never_shown_and_stays_when_none_is_given(as_admin: Client, as_operator: Client) -> None:
    made = contact(address=SECRETIVE)
    changed = {**FORM, "name": "ops", "address": "", "allow_internal": "on"}
    as_admin.post(f"/alerts/contacts/{made.pk}/", changed)
    made.refresh_from_db()
    assert (made.address, made.severity, made.kind) == (SECRETIVE, "critical", "webhook")
    pages = ["/alerts/contacts/", f"/alerts/contacts/{made.pk}/", f"/alerts/contacts/{made.pk}/delete/", "/audit/"]
    for page in pages:
        assert "T0K3N" not in text(as_admin.get(page))
    assert "http://127.0.0.1/…" in text(as_admin.get("/alerts/contacts/"))
    assert "127.0.0.1" not in text(as_operator.get("/alerts/contacts/"))
    assert events() == ["contact.changed"]


def test_another_address_gives_a_broken_contact_another_chance(as_admin: Client) -> None:
    made = contact(broken_at=timezone.now(), broken_why="status:404")
    as_admin.post(f"/alerts/contacts/{made.pk}/", {**FORM, "name": "ops", "address": "https://example.net/new"})
    made.refresh_from_db()
    assert (made.address, made.broken_at, made.broken_why) == ("https://example.net/new", None, "")
    assert AuditEntry.objects.get().facts["changed"] == ["address", "allow_internal", "language", "severity"]


def test_an_unchanged_contact_leaves_no_record(as_admin: Client) -> None:
    made = contact()
    same = {"name": "ops", "severity": "warning", "language": "en", "allow_internal": "on", "enabled": "on"}
    assert as_admin.post(f"/alerts/contacts/{made.pk}/", same).status_code == 302
    assert events() == []


def test_a_broken_contact_says_why_and_is_tried_again(as_admin: Client, as_operator: Client) -> None:
    made = contact(broken_at=timezone.now(), broken_why="status:410")
    for client in (as_admin, as_operator):
        assert "the receiver answered 410" in text(client.get("/alerts/contacts/"))
    as_admin.post(f"/alerts/contacts/{made.pk}/enable/")
    assert Contact.objects.get().broken_at is None
    as_admin.post(f"/alerts/contacts/{made.pk}/disable/")
    assert not Contact.objects.get().enabled
    assert events() == ["contact.enabled", "contact.disabled"]


def test_the_test_button_queues_one_notice_and_answers_with_the_row(as_admin: Client) -> None:
    made = contact()
    answer = as_admin.post(f"/alerts/contacts/{made.pk}/test/", headers={"HX-Request": "true"})
    shown = text(answer)
    assert shown.startswith(f'<tr id="contact-{made.pk}"')
    assert "Waits" in shown
    assert as_admin.post(f"/alerts/contacts/{made.pk}/test/")["Location"] == "/alerts/contacts/"
    assert Notification.objects.get().event == models.TEST
    assert events() == ["contact.tested"]


def test_deleting_asks_first_and_names_the_rules(as_admin: Client, web1: Server) -> None:
    made = contact()
    incident = opened(rule("Memory high", made), web1)
    asked = text(as_admin.get(f"/alerts/contacts/{made.pk}/delete/"))
    assert "1 rule tells it:" in asked
    assert "Memory high" in asked
    assert as_admin.post(f"/alerts/contacts/{made.pk}/delete/").status_code == 302
    assert not Contact.objects.exists()
    assert incident.entries.exists()
    assert events() == ["contact.deleted"]
    assert as_admin.post(f"/alerts/contacts/{made.pk}/delete/").status_code == 404


WRITES = ("test", "enable", "disable", "secret", "delete")


def test_only_admins_change_anything_and_viewers_see_nothing(
    as_viewer: Client, as_operator: Client, client: Client
) -> None:
    made = contact()
    assert as_viewer.get("/alerts/contacts/").status_code == 403
    assert as_operator.get("/alerts/contacts/").status_code == 200
    assert client.get("/alerts/contacts/").status_code == 302
    for path in ("new/", f"{made.pk}/", *(f"{made.pk}/{write}/" for write in WRITES)):
        for caller in (as_viewer, as_operator):
            assert caller.post(f"/alerts/contacts/{path}", FORM).status_code == 403
    assert Contact.objects.count() == 1
    assert not Notification.objects.exists()


def test_wrong_methods_and_numbers_are_refused(as_admin: Client) -> None:
    made = contact()
    for write in WRITES[:-1]:
        assert as_admin.get(f"/alerts/contacts/{made.pk}/{write}/").status_code == 405
        assert as_admin.post(f"/alerts/contacts/{made.pk + 1}/{write}/").status_code == 404
    assert as_admin.get(f"/alerts/contacts/{made.pk + 1}/").status_code == 404
    assert as_admin.post("/alerts/contacts/").status_code == 405


def test_the_secret_of_what_is_no_webhook_cannot_be_renewed(as_admin: Client) -> None:
    made = contact(kind=models.EMAIL, address="a@example.net", secret="")
    assert as_admin.post(f"/alerts/contacts/{made.pk}/secret/").status_code == 404


def test_names_are_escaped_and_made_visible(as_admin: Client) -> None:
    contact("<script>alert(1)</script>")
    shown = text(as_admin.get("/alerts/contacts/"))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_it_says_when_mail_cannot_be_sent(as_admin: Client, settings: Any) -> None:
    settings.SMTP = None
    mail, hook = contact(kind=models.EMAIL, address="a@example.net", secret=""), contact("hook")
    assert "No e-mail is sent: the hub has no mail server." in text(as_admin.get("/alerts/contacts/"))
    assert text(as_admin.get("/alerts/contacts/")).count("The hub has no mail server: nothing reaches it.") == 1
    said = "No e-mail is sent: the hub has no mail server. Set SMTP_URL"
    assert said in text(as_admin.get("/alerts/contacts/new/"))
    assert said in text(as_admin.get(f"/alerts/contacts/{mail.pk}/"))
    assert said not in text(as_admin.get(f"/alerts/contacts/{hook.pk}/"))
    given = {"name": "Mail", "kind": "email", "address": "b@example.net", "severity": "warning", "language": "en"}
    assert as_admin.post("/alerts/contacts/new/", given).status_code == 302


def test_the_list_takes_few_queries(as_admin: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        contact(str(number))
    with django_assert_max_num_queries(12):
        as_admin.get("/alerts/contacts/")


def test_a_live_row_shows_addresses_to_admins_alone(operator: User, viewer: User) -> None:
    made = contact()
    key = str(made.pk)
    _version, admins = live.row(key, View("en", "admin"))
    _version, operators = live.row(key, View("en", "operator"))
    assert "127.0.0.1" in admins["row"]
    assert "127.0.0.1" not in operators["row"]
    assert live.may_watch(operator, {key, "x", "9" * 20}) == {key}
    assert live.may_watch(viewer, {key}) == set()
    made.delete()
    assert 'hx-swap-oob="delete"' in live.row(key, View("en", "admin"))[1]["row"]
