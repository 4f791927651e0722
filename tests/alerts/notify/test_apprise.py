"""Apprise: what it sends, how its failures are told, and which of its services need the right to internal addresses."""

from __future__ import annotations

import json

import pytest

from alerts.models import Contact, Notification
from alerts.notify import apprise_transport, models
from servers.models import Server
from tests.alerts.notify.making import contact, notices, opened, rule, sent
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver


def ops(receiver: Receiver, **columns: bool) -> Contact:
    address = f"json://127.0.0.1:{receiver.server_port}/t0ken"
    return contact("ops", address, kind=models.APPRISE, secret="", **columns)


@pytest.mark.django_db
def test_it_gets_there(web1: Server, receiver: Receiver) -> None:
    opened(rule("r", ops(receiver)), web1)
    sent()
    assert notices() == [("opened", "sent")]
    told = json.loads(receiver.got[0].body)
    assert (told["title"], told["type"]) == ("Critical: Memory used above 90%, srv-web-01", "failure")
    assert "Rule: r" in told["message"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "state", "broken"), [(500, "queued", False), (429, "queued", False), (404, "failed", True)]
)
def test_its_failures_are_told_apart(
    web1: Server, receiver: Receiver, status: int, state: str, broken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    opened(rule("r", ops(receiver)), web1)
    sent()
    row = Notification.objects.get()
    assert (row.state, row.error) == (state, f"status:{status}")
    assert (Contact.objects.get().broken_at is not None) == broken
    assert "t0ken" not in caplog.text


@pytest.mark.django_db
def test_redirects_are_not_followed(web1: Server, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    opened(rule("r", ops(receiver)), web1)
    sent()
    assert len(receiver.got) == 1
    assert Notification.objects.get().error == "redirect:307"


@pytest.mark.django_db
def test_a_host_of_its_own_needs_the_right_to_internal_addresses(web1: Server, receiver: Receiver) -> None:
    opened(rule("r", ops(receiver, allow_internal=False)), web1)
    sent()
    assert receiver.got == []
    assert Notification.objects.get().error == "internal"


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/x", "xml://example.net/", "form://example.net/", "gotify://example.net/token12345678901",
        "mailto://user:pass@example.net", "ntfy://example.net/topic", "syslog://", "dbus://", "gnome://",
        "fcm://project@0123456789/device/?mode=oauth2&keyfile=/etc/shadow", "rsyslog://10.0.0.1", "mqtt://10.0.0.1/a",
        "nonsense://x",
    ],
)  # fmt: skip
def test_services_that_reach_anything_are_known(address: str) -> None:
    assert apprise_transport.needs_internal(address)


@pytest.mark.parametrize(
    "address", ["discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "tgram://123456789:abcdefg_hijklmnop/12315544/"]
)
def test_services_of_the_public_are_known(address: str) -> None:
    assert apprise_transport.known(address)
    assert not apprise_transport.needs_internal(address)
