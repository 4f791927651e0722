"""How a notice failed is kept and said, whatever becomes of it later."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import states
from alerts.models import Contact
from alerts.notify import contacts, told, words
from servers.models import Server
from tests.alerts.notify.making import closed, contact, hurried, later, notices, opened, rule, sent, storm
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db
TRIES = [(1, "1 try failed: the receiver answered 500"), (3, "3 tries failed, the last: the receiver answered 500")]


@pytest.mark.parametrize(("tries", "said"), TRIES)
def test_what_was_tried_in_vain_is_known_when_it_is_over(
    web1: Server, receiver: Receiver, as_admin: Client, tries: int, said: str
) -> None:
    receiver.status = 500
    ops = contact(address=receiver.url)
    incident = opened(rule("r", ops), web1)
    for _attempt in range(tries):
        sent()
        hurried()
    closed(incident)
    assert notices() == [("opened", "dropped")]
    why = f"it was over before anybody was told; {said}"
    (one,) = told.of(incident)
    assert (one.glyph, one.word, one.why, one.attempts) == ("failed", "Not sent", why, tries)
    entry = incident.entries.get(kind=states.NOT_NOTIFIED)
    assert words.line(entry.kind, entry.facts) == f"ops was not told: {why}"
    assert f"Opened: {why}" in as_admin.get("/alerts/contacts/").content.decode()
    answer = as_admin.get(f"/api/alerts/incidents/{incident.uuid}").json()["notifications"][0]
    assert (answer["error"], answer["errorCode"]) == ("it was over before anybody was told", "over")
    assert (answer["lastFailure"], answer["lastFailureCode"]) == ("the receiver answered 500", "status:500")
    assert answer["attempts"] == tries


def test_one_that_is_found_unwanted_when_it_is_due_counts_as_not_tried(web1: Server, receiver: Receiver) -> None:
    receiver.how = "cut"
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    Contact.objects.update(enabled=False)
    hurried()
    sent()
    (one,) = told.of(incident)
    assert (one.attempts, one.why) == (
        1, "the contact is off; 1 try failed: the receiver closed the connection",
    )  # fmt: skip


def test_what_waits_to_be_tried_again_says_how_often_it_was(web1: Server, receiver: Receiver) -> None:
    receiver.status = 500
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    for count in ("", " (2 tries)", " (3 tries)"):
        sent()
        hurried()
        assert [one.why for one in told.of(incident)] == [f"the receiver answered 500{count}"]
    receiver.status = 200
    sent()
    assert [(one.word, one.why) for one in told.of(incident)] == [("Sent", "")]


def test_one_that_was_never_tried_tells_of_no_tries(web1: Server, receiver: Receiver) -> None:
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    closed(incident)
    (one,) = told.of(incident)
    assert (one.glyph, one.why) == ("cancelled", "it was over before anybody was told")
    assert incident.entries.get(kind=states.NOT_NOTIFIED).facts == {"contact": "ops", "why": "over"}


def test_a_test_and_an_incident_say_the_same_of_a_failure(
    admin: User, web1: Server, receiver: Receiver, as_admin: Client
) -> None:
    receiver.status = 500
    ops = contact(address=receiver.url)
    incident = opened(rule("r", ops), web1)
    contacts.try_out(admin, ops)
    sent()
    test = as_admin.get(f"/api/alerts/contacts/{ops.pk}/tests").json()["notices"][0]
    notice = as_admin.get(f"/api/alerts/incidents/{incident.uuid}").json()["notifications"][0]
    for answer in (test, notice):
        assert (answer["error"], answer["errorCode"]) == ("the receiver answered 500", "status:500")


def test_what_waited_in_a_summary_that_failed_says_so(web1: Server, receiver: Receiver) -> None:
    fired = storm(12, contact(address=receiver.url), web1)
    sent()
    receiver.status = 500
    later()
    sent()
    hurried()
    sent()
    left = next(one for one in fired if notices(incident=one) == [("opened", "queued")])
    assert [one.why for one in told.of(left)] == ["the receiver answered 500 (2 tries)"]
    closed(left)
    why = "it was over before anybody was told; 2 tries failed, the last: the receiver answered 500"
    assert [(one.glyph, one.why) for one in told.of(left)] == [("failed", why)]
