"""Notices on their way, to real receivers: what is sent, tried again, given up, and never sent twice by two workers."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from actions.models import AuditEntry
from alerts import states
from alerts.models import Contact, Notification
from alerts.notify import claiming, contacts, models, sending, words
from servers.models import Server
from tests.actions.test_races import together
from tests.alerts.notify.making import closed, contact, hurried, lines, notices, opened, rule, sent
from tests.alerts.notify.receivers import Receiver, listening
from tests.alerts.notify.receivers import receiver as receiver
from tests.patience import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers have a fifth of a second."""
    monkeypatch.setattr("alerts.notify.posting.CONNECT_SEC", 0.2)
    monkeypatch.setattr("alerts.notify.posting.TOTAL_SEC", 0.2)


def wait_of(row: Notification) -> float:
    """Seconds until it is due."""
    return (row.due_at - timezone.now()).total_seconds()


def test_a_webhook_gets_signed_json(web1: Server, receiver: Receiver) -> None:
    incident = opened(rule("r", contact(address=receiver.url, secret="pmw_own")), web1)
    assert sent() == 1
    got = receiver.got[0]
    said = json.loads(got.body)
    row = Notification.objects.get()
    assert (said["id"], said["event"], said["incident"]["id"]) == (row.pk, "opened", str(incident.uuid))
    assert (said["incident"]["server"]["agent"], said["incident"]["severity"]) == ("srv-web-01", "critical")
    assert got.headers["X-Pmonitor-Notice"] == str(row.pk)
    signed = dict(part.split("=") for part in got.headers["X-Pmonitor-Signature"].split(","))
    wanted = hmac.new(b"pmw_own", signed["t"].encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert signed["v1"] == wanted
    assert abs(int(signed["t"]) - time.time()) < 60
    assert (row.state, row.attempts, row.error) == (models.SENT, 1, "")
    entry = incident.entries.get(kind=states.NOTIFIED)
    assert words.line(entry.kind, entry.facts) == "Told ops"


def test_what_fails_is_tried_again_ever_later_and_given_up(web1: Server, receiver: Receiver) -> None:
    receiver.status = 500
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    waits = []
    for _attempt in sending.AGAIN:
        assert sent() == 1
        waits.append(round(wait_of(Notification.objects.get())))
        assert sent() == 0  # not due
        hurried()
    assert waits == [10, 60, 300, 1_800, 7_200]
    assert lines(incident) == [states.OPENED]
    sent()
    row = Notification.objects.get()
    assert (row.state, row.attempts, row.error) == (models.FAILED, 6, "status:500")
    assert lines(incident) == [states.OPENED, states.NOT_NOTIFIED]
    assert Contact.objects.get().broken_at is None


def test_one_that_gets_through_later_is_told_once(web1: Server, receiver: Receiver) -> None:
    receiver.status = 503
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    receiver.status = 200
    hurried()
    sent()
    assert notices() == [("opened", "sent")]
    assert lines(incident) == [states.OPENED, states.NOTIFIED]


@pytest.mark.parametrize(("said", "least", "most"), [("120", 118, 120), ("3", 8, 10), ("nonsense", 8, 10)])
def test_a_receiver_may_ask_to_wait(web1: Server, receiver: Receiver, said: str, least: int, most: int) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": said}
    opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    assert least <= wait_of(Notification.objects.get()) <= most
    assert Contact.objects.get().broken_at is None


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
def test_what_will_never_work_breaks_the_contact(web1: Server, receiver: Receiver, status: int) -> None:
    receiver.status, receiver.headers = status, {"Location": "http://127.0.0.1:9/"}
    ops = contact(address=receiver.url)
    watch = rule("r", ops)
    first, second = opened(watch, web1, "a"), opened(watch, web1, "b")
    sent()
    assert len(receiver.got) == 1
    assert notices() == [("opened", "failed")] * 2
    assert [lines(one)[1:] for one in (first, second)] == [[states.NOT_NOTIFIED]] * 2
    ops.refresh_from_db()
    assert ops.broken_at is not None
    assert str(status) in words.why(ops.broken_why)
    entry = AuditEntry.objects.get(event="contact.broken")
    assert (entry.actor, entry.target) == ("hub", "ops")


def test_a_broken_contact_works_again_when_a_test_gets_there(admin: User, web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url, broken_at=timezone.now(), broken_why="status:404")
    watch = rule("r", ops)
    opened(watch, web1, "a")
    contacts.try_out(admin, ops)
    contacts.try_out(admin, ops)  # one at a time
    sent()
    assert notices() == [("opened", "failed"), ("test", "sent")]
    ops.refresh_from_db()
    assert ops.broken_at is None
    opened(watch, web1, "b")
    sent()
    assert notices()[-1] == ("opened", "sent")
    events = list(AuditEntry.objects.order_by("id").values_list("event", flat=True))
    assert events == ["contact.tested", "contact.mended"]


def test_a_test_is_tried_once_also_to_a_contact_that_is_off(admin: User, receiver: Receiver) -> None:
    receiver.status = 500
    ops = contact(address=receiver.url, enabled=False)
    contacts.try_out(admin, ops)
    sent()
    assert notices() == [("test", "failed")]
    assert Contact.objects.get().broken_at is None


def test_a_test_that_goes_wrong_takes_no_notice_away(admin: User, web1: Server, receiver: Receiver) -> None:
    receiver.status = 500
    ops = contact(address=receiver.url)
    opened(rule("r", ops), web1)
    sent()
    receiver.status = 400
    contacts.try_out(admin, ops)
    sent()
    assert notices() == [("opened", "queued"), ("test", "failed")]
    assert Contact.objects.get().broken_at is None
    receiver.status = 200
    hurried()
    sent()
    assert notices()[0] == ("opened", "sent")


def test_a_contact_that_got_another_address_meanwhile_is_not_broken(web1: Server, receiver: Receiver) -> None:
    receiver.status = 404
    opened(rule("r", contact(address=receiver.url)), web1)
    row = claiming.claim()
    assert row is not None
    Contact.objects.update(address="http://127.0.0.1:9/other")
    sending.deliver(row)
    assert Contact.objects.get().broken_at is None


def test_what_waits_for_a_contact_that_is_switched_off_is_dropped(web1: Server, receiver: Receiver) -> None:
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    Contact.objects.update(enabled=False)
    sent()
    assert notices() == [("opened", "dropped")]
    assert incident.entries.get(kind=states.NOT_NOTIFIED).facts["why"] == "off"


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_a_receiver_that_hangs_is_left_in_time(web1: Server, receiver: Receiver, quick: None, how: str) -> None:
    receiver.how = how
    opened(rule("r", contact(address=receiver.url)), web1)
    began = time.monotonic()
    sent()
    assert time.monotonic() - began < PATIENCE
    assert (Notification.objects.get().state, Notification.objects.get().error) == (models.QUEUED, "timeout")


def test_one_that_closes_in_the_middle_is_tried_again(web1: Server, receiver: Receiver) -> None:
    receiver.how = "cut"
    opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    assert (Notification.objects.get().state, Notification.objects.get().error) == (models.QUEUED, "cut")


def test_one_that_refuses_is_tried_again(web1: Server) -> None:
    with listening() as gone:
        address = gone.url
    opened(rule("r", contact(address=address)), web1)
    sent()
    assert (Notification.objects.get().state, Notification.objects.get().error) == (models.QUEUED, "refused")


def test_what_nobody_expected_names_no_address(
    web1: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(contact: Contact, message: object) -> None:
        raise ValueError(contact.address)

    monkeypatch.setattr("alerts.notify.transports.send", fails)
    opened(rule("r", contact(address="http://127.0.0.1:9/t0ken")), web1)
    sent()
    row = Notification.objects.get()
    assert (row.state, row.error) == (models.QUEUED, "hub")
    log = caplog.text
    assert "notify.failed" in log
    assert "ValueError" in log
    assert "t0ken" not in log


def test_a_killed_workers_notice_is_sent_when_its_claim_ends(web1: Server, receiver: Receiver) -> None:
    opened(rule("r", contact(address=receiver.url)), web1)
    lost = claiming.claim()
    assert lost is not None
    assert sent() == 0
    Notification.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert sent() == 1
    assert notices() == [("opened", "sent")]
    sending.deliver(lost)  # it was only slow: it sends again, and changes nothing
    assert [got.headers["X-Pmonitor-Notice"] for got in receiver.got] == [str(lost.pk)] * 2
    assert lines(lost.incident)[1:] == [states.NOTIFIED]  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_each_notice_once(web1: Server, receiver: Receiver) -> None:
    for number in range(6):
        opened(rule(f"r{number}", contact(f"c{number}", receiver.url)), web1)
    together(sending.work, sending.work, sending.work)
    assert len(receiver.got) == 6
    assert notices() == [("opened", "sent")] * 6


@pytest.mark.django_db(transaction=True)
def test_an_end_while_the_opening_is_sent_is_told_after_it(web1: Server, receiver: Receiver) -> None:
    receiver.how = "hang"
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    thread = threading.Thread(target=in_thread)
    thread.start()
    until(lambda: len(receiver.got) == 1)
    closed(incident)
    assert notices() == [("opened", "sending"), ("closed", "queued")]
    receiver.how = ""
    receiver.over.set()
    thread.join()
    hurried()
    sending.work()
    assert notices() == [("opened", "sent"), ("closed", "sent")]
    assert [json.loads(got.body)["event"] for got in receiver.got] == ["opened", "closed"]


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_holds_up_neither_the_step_nor_the_others(web1: Server) -> None:
    with listening() as slow, listening() as fast:
        slow.how = "hang"
        for number in range(2):
            opened(rule(f"s{number}", contact(f"slow{number}", slow.url)), web1)
        for number in range(5):
            opened(rule(f"f{number}", contact(f"fast{number}", fast.url)), web1)
        began = time.monotonic()
        assert sending.send() == sending.MOST_AT_ONCE
        assert time.monotonic() - began < PATIENCE
        until(lambda: len(fast.got) == 5)
        assert len(slow.got) == 2
        slow.over.set()
    until(lambda: sending.free._value == sending.MOST_AT_ONCE)
    sent_fast = Notification.objects.filter(contact__name__startswith="fast")
    assert {row.state for row in sent_fast} == {models.SENT}


def in_thread() -> None:
    sending.work()
    connection.close()


def until(holds: Any) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 10 * PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
