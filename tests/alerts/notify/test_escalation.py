"""What nobody took on in time is told to the next ones, once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from alerts import states, timeline
from alerts.models import Incident, Notification, Rule
from alerts.notify import escalation, words
from alerts.quiet.models import Silence
from servers.models import Server
from tests.actions.test_races import together
from tests.alerts.notify.making import closed, contact, lines, notices, opened, rule, sent
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db


def escalating(receiver: Receiver, after: int = 600) -> Rule:
    made = rule("r", contact("first", receiver.url), escalate_after_sec=after)
    made.escalate_to.set([contact("boss", receiver.url)])
    return made


def old(incident: Incident, **columns: Any) -> None:
    """It was seen, and the first were told, eleven minutes ago."""
    sent()
    then = timezone.now() - timedelta(minutes=11)
    Incident.objects.filter(pk=incident.pk).update(recorded_at=then, **columns)
    Notification.objects.filter(incident=incident).update(made_at=then)


def test_the_next_ones_are_told_once(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    assert escalation.escalate() == 0
    old(incident)
    assert escalation.escalate() == 1
    assert escalation.escalate() == 0
    sent()
    assert [row.contact.name for row in Notification.objects.order_by("pk")] == ["first", "boss"]
    told = json.loads(receiver.got[-1].body)
    assert (told["event"], told["title"]) == (
        "escalation", "Nobody took it on: Memory used above 90%, srv-web-01",
    )  # fmt: skip
    assert lines(incident) == [states.OPENED, states.NOTIFIED, states.ESCALATED, states.NOTIFIED]


def test_the_time_begins_when_the_first_are_told(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    then = timezone.now() - timedelta(minutes=11)
    Incident.objects.filter(pk=incident.pk).update(recorded_at=then)  # silenced until now
    assert escalation.escalate() == 0
    Notification.objects.update(made_at=then)
    assert escalation.escalate() == 0, "nobody was told yet"
    sent()
    assert escalation.escalate() == 1


def test_its_end_is_told_to_them_too(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    old(incident)
    escalation.escalate()
    sent()
    closed(incident)
    sent()
    assert [json.loads(got.body)["event"] for got in receiver.got] == ["opened", "escalation", "closed", "closed"]


def test_one_that_flaps_is_escalated_too(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    old(incident, flapping=True, flapping_since=timezone.now(), reopened=2)
    assert escalation.escalate() == 1
    sent()
    assert notices(contact__name="boss") == [("escalation", "sent")]


@pytest.mark.parametrize("why", ["acknowledged", "closed", "silenced", "snoozed", "member"])
def test_what_somebody_deals_with_is_not_escalated(web1: Server, receiver: Receiver, why: str) -> None:
    now = timezone.now()
    watch = escalating(receiver)
    incident, whole = opened(watch, web1), opened(watch, web1, "whole")
    columns: dict[str, dict[str, Any]] = {
        "acknowledged": {"state": states.ACKNOWLEDGED},
        "closed": {"state": states.CLOSED},
        "silenced": {"silence": Silence.objects.create(reason="x", starts_at=now, made_by_name="o", made_at=now)},
        "snoozed": {"snoozed_until": now + timedelta(hours=1)},
        "member": {"whole": whole},
    }
    old(incident, **columns[why])
    assert escalation.escalate() == 0


def test_one_that_is_taken_on_before_it_is_sent_is_not_told(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    old(incident)
    escalation.escalate()
    Incident.objects.update(state=states.ACKNOWLEDGED, acknowledged_at=timezone.now())
    sent()
    assert notices(contact__name="boss") == [("escalation", "dropped")]
    assert incident.entries.get(kind=states.NOT_NOTIFIED).facts["why"] == "taken"


@pytest.mark.parametrize("next_ones", [["boss"], []])
def test_a_rule_that_gives_up_acting_escalates_at_once(web1: Server, receiver: Receiver, next_ones: list[str]) -> None:
    watch = rule("r", contact("first", receiver.url), escalate_after_sec=None)
    watch.escalate_to.set([contact(name, receiver.url) for name in next_ones])
    incident = opened(watch, web1)
    sent()
    with transaction.atomic():
        timeline.note(states.GAVE_UP, [incident])
        timeline.note(states.GAVE_UP, [incident])
    assert notices(event="escalation") == [("escalation", "queued")]
    assert Notification.objects.get(event="escalation").contact.name == (next_ones or ["first"])[0]
    entry = incident.entries.get(kind=states.ESCALATED)
    assert words.line(entry.kind, entry.facts) == "Its rule gave up acting; told the next ones"


@pytest.mark.django_db(transaction=True)
def test_two_workers_escalate_once(web1: Server, receiver: Receiver) -> None:
    incident = opened(escalating(receiver), web1)
    old(incident)
    assert sorted(together(escalation.escalate, escalation.escalate, escalation.escalate)) == [0, 0, 1]
    assert notices(event="escalation") == [("escalation", "queued")]
