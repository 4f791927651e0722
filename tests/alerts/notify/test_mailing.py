"""E-mail, through a real mail server."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest
from django.contrib.auth.models import User

from alerts.models import Contact, Notification
from alerts.notify import contacts, models, words
from servers.models import Server
from tests.alerts.notify.making import closed, contact, notices, opened, rule, sent
from tests.alerts.notify.receivers import Mailer, mail_server
from tests.alerts.notify.receivers import mailer as mailer

pytestmark = pytest.mark.django_db


def ops(**columns: Any) -> Contact:
    return contact("ops", "ops@example.net", kind=models.EMAIL, secret="", allow_internal=False, **columns)


def read(mailer: Mailer) -> list[Any]:
    """The mails that came, parsed."""
    return [email.message_from_bytes(one.content, policy=email.policy.default) for one in mailer.post.mails]


def test_a_mail_has_text_html_and_links(web1: Server, mailer: Mailer, settings: Any) -> None:
    settings.HUB_URL = "https://monitor.example.net"
    incident = opened(rule("Memory high on web", ops()), web1)
    sent()
    mail = read(mailer)[0]
    assert mailer.post.mails[0].rcpt_tos == ["ops@example.net"]
    assert (mail["To"], mail["From"]) == ("ops@example.net", "Process Monitor <hub@monitor.example.net>")
    assert mail["Subject"] == "Critical: Memory used above 90%, srv-web-01"
    text = mail.get_body(("plain",)).get_content()
    assert f"https://monitor.example.net/alerts/{incident.uuid}/" in text
    assert "https://monitor.example.net/servers/srv-web-01/?at=" in text
    assert "Rule: Memory high on web" in text
    html = mail.get_body(("html",)).get_content()
    assert f'<a href="https://monitor.example.net/alerts/{incident.uuid}/">' in html


def test_an_incidents_mails_are_one_thread_and_each_has_its_own_number(web1: Server, mailer: Mailer) -> None:
    incident = opened(rule("r", ops()), web1)
    sent()
    closed(incident)
    sent()
    down, up = read(mailer)
    assert {down["References"].strip(), up["References"].strip()} == {f"<incident-{incident.uuid}@monitor.example.net>"}
    assert down["Message-ID"] != up["Message-ID"]
    assert up["Subject"] == "Over: Memory used above 90%, srv-web-01"


def test_names_can_neither_add_headers_nor_act_in_the_html(web1: Server, mailer: Mailer) -> None:
    web1.hostname = "web\r\nBcc: all@example.org\n<img src=x>"
    web1.save(update_fields=["hostname"])
    opened(rule("<script>alert(1)</script>\nX: y", ops()), web1)
    sent()
    mail = read(mailer)[0]
    assert mail["Bcc"] is None
    assert "web␍␊Bcc: all@example.org␊<img src=x>" in mail["Subject"]
    html = mail.get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("where", "said", "state", "why", "broken"),
    [
        ("RCPT", "550 5.1.1 <ops@example.net>: no such user", "failed", "mail:550 5.1.1", True),
        ("RCPT", "450 4.2.1 try later, ops@example.net", "queued", "mail:450 4.2.1", False),
        ("DATA", "554 5.7.1 looks like spam", "failed", "mail:554 5.7.1", True),
        ("DATA", "451 busy", "queued", "mail:451", False),
    ],
)
def test_what_the_mail_server_refuses_for_good_breaks_the_contact(
    web1: Server, mailer: Mailer, where: str, said: str, state: str, why: str, broken: bool
) -> None:
    mailer.post.answers[where] = said
    opened(rule("r", ops()), web1)
    sent()
    row = Notification.objects.get()
    assert (row.state, row.error) == (state, why)
    assert (Contact.objects.get().broken_at is not None) == broken
    assert "ops@" not in words.why(row.error)


def test_without_a_mail_server_it_says_so_and_the_contact_is_not_to_blame(admin: User, settings: Any) -> None:
    settings.SMTP = None
    contacts.try_out(admin, ops())
    sent()
    assert notices() == [("test", "failed")]
    assert words.why(Notification.objects.get().error) == "the hub has no mail server: set SMTP_URL and SMTP_FROM"
    assert Contact.objects.get().broken_at is None


def test_a_mail_server_that_is_away_is_tried_again(web1: Server, settings: Any) -> None:
    with mail_server() as gone:
        settings.SMTP, settings.SMTP_FROM = gone.mail, "hub@monitor.example.net"
    opened(rule("r", ops()), web1)
    sent()
    assert notices() == [("opened", "queued")]


def test_a_password_never_goes_over_a_plain_connection(web1: Server, settings: Any) -> None:
    with mail_server("hub", auth_require_tls=False) as server:
        settings.SMTP, settings.SMTP_FROM = server.mail, "hub@monitor.example.net"
        opened(rule("r", ops()), web1)
        sent()
        assert server.post.mails == []
    row = Notification.objects.get()
    assert (row.state, row.error) == (models.QUEUED, "mail login")
    assert Contact.objects.get().broken_at is None


def test_a_romanian_contact_is_told_in_romanian(web1: Server, mailer: Mailer) -> None:
    opened(rule("r", ops(language="ro")), web1)
    sent()
    assert "Unde: srv-web-01" in read(mailer)[0].get_body(("plain",)).get_content()
