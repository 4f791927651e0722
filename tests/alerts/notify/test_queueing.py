"""What moves is told: to whom, and when nobody is; in the transaction of the move."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from alerts import moves, states
from alerts.models import Contact, Incident, Notification, Rule
from alerts.notify import models, queueing, words
from alerts.quiet.models import Silence
from servers.models import HubAbsence, Server
from tests.alerts.notify.making import closed, contact, hurried, lines, notices, opened, opening, rule, sent
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db


def silence() -> Silence:
    now = timezone.now()
    return Silence.objects.create(reason="work", starts_at=now, made_by_name="oleg", made_at=now)


def test_an_opening_makes_one_notice_for_each_contact(web1: Server) -> None:
    opened(rule("r", contact("a"), contact("b")), web1)
    assert list(Notification.objects.order_by("contact__name").values_list("contact__name", "event", "state")) == [
        ("a", "opened", "queued"),
        ("b", "opened", "queued"),
    ]


def test_a_move_that_is_taken_back_leaves_no_notice(web1: Server) -> None:
    watch = rule("r", contact())
    with transaction.atomic():
        moves.open_([opening(watch, web1)])
        assert notices() == [("opened", "queued")]
        transaction.set_rollback(True)
    assert notices() == []


def test_only_contacts_of_that_severity_that_are_on_are_told(web1: Server) -> None:
    severe, off, mild = contact("severe", severity="critical"), contact("off", enabled=False), contact("mild")
    opened(rule("r", severe, off, mild, severity=states.WARNING), web1)
    assert Notification.objects.get().contact == mild
    opened(rule("c", severe, severity=states.CRITICAL), web1)
    assert Notification.objects.filter(contact=severe).count() == 1


def test_a_broken_contact_fails_at_once_and_the_timeline_says_so(web1: Server) -> None:
    incident = opened(rule("r", contact(broken_at=timezone.now())), web1)
    assert notices() == [("opened", "failed")]
    entry = incident.entries.get(kind=states.NOT_NOTIFIED)
    assert words.line(entry.kind, entry.facts) == "ops was not told: the contact is broken"


@pytest.mark.parametrize("why", ["silence", "snooze", "member"])
def test_nobody_is_told_of_what_is_quiet_by_then(web1: Server, web2: Server, receiver: Receiver, why: str) -> None:
    watch = rule("r", contact(address=receiver.url))
    incident = opened(watch, web1)
    whole = Incident(rule=watch, rule_name="r", kind="reading", severity="critical", began_at=timezone.now())
    whole.opened_at = whole.recorded_at = timezone.now()
    whole.save()
    later = timezone.now() + timedelta(hours=1)
    quiet: dict[str, dict[str, Any]] = {
        "silence": {"silence": silence()},
        "snooze": {"snoozed_until": later},
        "member": {"whole": whole},
    }
    Incident.objects.filter(pk=incident.pk).update(**quiet[why])
    sent()
    assert notices(incident=incident) == [("opened", "dropped")]
    assert receiver.got == []
    assert lines(incident) == [states.OPENED, states.NOT_NOTIFIED]


def test_after_a_silence_those_are_told_who_were_not(web1: Server) -> None:
    first, second = contact("a"), contact("b")
    watch = rule("r", first)
    incident = opened(watch, web1)
    Incident.objects.filter(pk=incident.pk).update(silence=silence())
    queueing.hear(states.UNSILENCED, [incident])
    assert notices() == [("opened", "queued")]  # it is silenced still
    Incident.objects.filter(pk=incident.pk).update(silence=None)
    watch.contacts.set([first, second])
    queueing.hear(states.UNSILENCED, [incident])
    assert list(Notification.objects.order_by("pk").values_list("contact__name", flat=True)) == ["a", "b"]


def test_one_that_is_woken_is_told_again(web1: Server) -> None:
    incident = opened(rule("r", contact()), web1)
    queueing.hear(states.WOKEN, [incident])
    assert notices() == [("opened", "queued")] * 2


def test_the_end_is_told_to_who_was_told_of_the_opening(web1: Server, receiver: Receiver) -> None:
    watch = rule("r", contact("a", receiver.url))
    incident = opened(watch, web1)
    sent()
    watch.contacts.add(contact("late"))
    closed(incident)
    assert notices() == [("opened", "sent"), ("closed", "queued")]
    sent()
    assert [got.path for got in receiver.got] == ["/hook/s3cret"] * 2
    assert lines(incident) == [states.OPENED, states.NOTIFIED, states.ENDED, states.NOTIFIED]


def test_an_opening_that_was_not_sent_and_its_end_are_never_told(web1: Server, receiver: Receiver) -> None:
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    closed(incident)
    assert sent() == 0
    assert notices() == [("opened", "dropped")]
    assert receiver.got == []
    entry = incident.entries.get(kind=states.NOT_NOTIFIED)
    assert entry.facts == {"contact": "ops", "why": "over"}


def test_the_end_of_one_whose_opening_failed_is_not_told(web1: Server, receiver: Receiver) -> None:
    receiver.status = 404
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    closed(incident)
    assert notices() == [("opened", "failed")]


def test_an_end_waits_for_the_opening_that_is_being_sent(web1: Server, receiver: Receiver) -> None:
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    being_sent = Notification.objects.filter(event=models.OPENED)
    being_sent.update(state=models.SENDING, claimed_until=timezone.now() - timedelta(seconds=61))
    closed(incident)
    hurried()
    Notification.objects.filter(event=models.OPENED).update(claimed_until=timezone.now() + timedelta(seconds=60))
    assert sent() == 0  # one at a time, for each contact
    being_sent.update(state=models.QUEUED, claimed_until=None)
    hurried(event=models.CLOSED)
    sent()
    hurried()
    sent()
    assert notices() == [("opened", "dropped"), ("closed", "dropped")]
    assert receiver.got == []


def test_a_hundred_rules_that_fire_at_once_take_few_queries(
    web1: Server, django_assert_max_num_queries: object
) -> None:
    told = [contact(str(number)) for number in range(3)]
    openings = [opening(rule(f"r{number}", *told), web1) for number in range(100)]
    with django_assert_max_num_queries(14), transaction.atomic():  # type: ignore[operator]
        moves.open_(openings)
    assert Notification.objects.count() == 300


def test_right_after_an_absence_of_the_hub_notices_wait_a_little(web1: Server) -> None:
    now = timezone.now()
    back = now - timedelta(seconds=30)
    HubAbsence.objects.create(start=now - timedelta(hours=6), end=back, why=HubAbsence.STOPPED)
    opened(rule("r", contact()), web1)
    row = Notification.objects.get()
    assert row.due_at == back + queueing.AFTERMATH
    assert row.facts == {"absence": HubAbsence.objects.get().pk}


def test_outside_its_hours_a_contact_is_told_when_they_begin_or_never(web1: Server, receiver: Receiver) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    hours = {"days": [tomorrow.weekday()], "from": "00:00", "to": "00:00", "zone": "UTC"}
    watch: Rule = rule("r", contact(address=receiver.url, hours=hours))
    incident = opened(watch, web1)
    row = Notification.objects.get()
    assert row.due_at == tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)
    assert sent() == 0
    closed(incident)
    assert notices() == [("opened", "dropped")]
    assert Contact.objects.get().broken_at is None
