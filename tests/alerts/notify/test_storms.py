"""Storms: however much happens at once, a contact gets few messages, and each incident is told in one of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from alerts import moves, states
from alerts.models import Incident
from alerts.notify import models, queueing, throttle
from servers.models import HubAbsence, Server, ServerGroup
from tests.alerts.notify.making import (
    closed,
    contact,
    events,
    hurried,
    later,
    lines,
    notices,
    opened,
    opening,
    rule,
    sent,
    storm,
)
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db


def fleet(number: int, group: ServerGroup) -> list[Server]:
    """So many servers."""
    names = [f"srv-{one:04}" for one in range(number)]
    rows = [Server(agent_id=name, hostname=name, group=group, token_prefix=name[4:] + "x") for name in names]
    return Server.objects.bulk_create(rows)


def test_two_thousand_servers_lost_at_once_are_one_message(web_group: ServerGroup, receiver: Receiver) -> None:
    lost = rule("Server silent", contact(address=receiver.url), kind="server_silent", params={}, limit=None)
    servers = fleet(2_000, web_group)
    with transaction.atomic():
        moves.open_([opening(lost, server)._replace(facts={}, value=None) for server in servers])
    sent()
    assert events(receiver) == {"opened": 1}
    got = json.loads(receiver.got[0].body)
    assert got["incident"]["servers"] == 2_000
    assert got["title"] == "Critical: Server silent on 2,000 servers"
    live = Incident.objects.live().filter(server__isnull=False)
    with transaction.atomic():
        moves.close([moves.Closing(one.pk, timezone.now(), states.CLEARED) for one in live])
    sent()
    assert events(receiver) == {"opened": 1, "closed": 1}


def test_the_first_few_of_many_that_come_one_by_one_are_told_as_one(
    web_group: ServerGroup, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "GATHER", timedelta(seconds=10))
    watch = rule("r", contact(address=receiver.url))
    for server in fleet(7, web_group):
        opened(watch, server)
        assert sent() == 0
    hurried()
    sent()
    assert events(receiver) == {"opened": 1}
    assert Counter(notices()) == {("opened", "dropped"): 4, ("opened", "sent"): 1}


def test_three_hundred_rules_that_fire_in_a_minute_are_eleven_messages(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(300, ops, web1)
    sent()
    assert events(receiver) == {"opened": throttle.MOST}
    assert {json.loads(got.body)["incident"]["severity"] for got in receiver.got} == {"critical"}  # the worst first
    assert sent() == 0
    later()
    sent()
    assert events(receiver) == {"opened": 10, "summary": 1}
    got = json.loads(receiver.got[-1].body)
    assert got["title"] == "290 incidents, 20 critical"
    assert (got["summary"]["opened"], got["summary"]["servers"], got["summary"]["more"]) == (290, 1, 280)
    assert Counter(notices()) == {("opened", "sent"): 300, ("summary", "sent"): 1}
    assert {tuple(lines(one)) for one in fired} == {(states.OPENED, states.NOTIFIED)}


def test_a_storms_end_is_a_summary_too(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(30, ops, web1)
    sent()
    later()
    sent()
    later()
    with transaction.atomic():
        moves.close([moves.Closing(one.pk, timezone.now(), states.CLEARED) for one in fired])
    sent()
    later()
    sent()
    assert events(receiver) == {"opened": 10, "summary": 2, "closed": 10}
    assert json.loads(receiver.got[-1].body)["title"] == "20 incidents are over"


def test_a_critical_opening_waits_for_no_storm_of_milder_ones(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    for number in range(15):
        opened(rule(f"rule {number}", ops, severity=states.WARNING), web1)
    sent()
    assert notices(event=models.SUMMARY) == [("summary", "queued")]
    for number in range(12):
        opened(rule(f"worse {number}", ops), web1)
    opened(rule("mild", ops, severity=states.WARNING), web1)
    sent()
    assert events(receiver) == {"opened": 20}
    assert {json.loads(got.body)["incident"]["severity"] for got in receiver.got[10:]} == {"critical"}
    later()
    sent()
    assert events(receiver) == {"opened": 20, "summary": 1}
    assert json.loads(receiver.got[-1].body)["title"] == "8 incidents, 2 critical"


@pytest.mark.parametrize("severity", states.SEVERITIES)
def test_an_opening_waits_for_no_storm_of_ends(web1: Server, receiver: Receiver, severity: str) -> None:
    ops = contact(address=receiver.url)
    fired = storm(12, ops, web1)
    sent()
    later()
    sent()
    later()
    for one in fired:
        closed(one)
    sent()
    assert notices(event=models.SUMMARY, state=models.QUEUED) == [("summary", "queued")]
    last = opened(rule("new", ops, severity=severity), web1)
    sent()
    assert notices(incident=last) == [("opened", "sent")]


def test_an_end_is_told_by_itself_only_while_little_else_was(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(10, ops, web1)
    sent()
    closed(fired[0])
    sent()
    assert events(receiver) == {"opened": 10}
    assert notices(event=models.SUMMARY) == [("summary", "queued")]


def test_what_is_critical_is_sent_before_what_was_due_earlier(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    for number in range(3):
        opened(rule(f"rule {number}", ops, severity=states.WARNING), web1)
    opened(rule("worse", ops), web1)
    sent()
    severities = [json.loads(got.body)["incident"]["severity"] for got in receiver.got]
    assert severities == ["critical", "warning", "warning", "warning"]


def test_what_comes_while_a_summary_waits_is_told_by_it(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    for number in range(15):
        opened(rule(f"rule {number}", ops), web1)
        sent()
    later()
    sent()
    assert events(receiver) == {"opened": 10, "summary": 1}


def test_a_receiver_that_is_away_gathers_no_heap(web1: Server, receiver: Receiver) -> None:
    receiver.status = 500
    ops = contact(address=receiver.url)
    storm(40, ops, web1)
    for _round in range(3):
        sent()
        hurried()
    receiver.got.clear()
    receiver.status = 200
    sent()
    assert events(receiver) == {"opened": 10, "summary": 1}


def test_contacts_are_throttled_each_by_itself(web1: Server, receiver: Receiver) -> None:
    busy, calm = contact("busy", receiver.url), contact("calm", receiver.url)
    storm(15, busy, web1)
    opened(rule("one", calm), web1)
    sent()
    assert notices(contact=calm) == [("opened", "sent")]


def test_after_an_absence_of_the_hub_all_is_one_summary(web1: Server, receiver: Receiver) -> None:
    now = timezone.now()
    HubAbsence.objects.create(start=now - timedelta(hours=6), end=now, why=HubAbsence.STOPPED)
    ops = contact(address=receiver.url, language="en")
    storm(25, ops, web1)
    assert sent() == 0
    hurried()
    sent()
    assert events(receiver) == {"summary": 1}
    assert json.loads(receiver.got[0].body)["summary"]["awaySec"] == 6 * 3_600


def test_one_alone_after_an_absence_is_told_as_itself(web1: Server, receiver: Receiver) -> None:
    now = timezone.now()
    HubAbsence.objects.create(start=now - timedelta(hours=6), end=now, why=HubAbsence.STOPPED)
    opened(rule("r", contact(address=receiver.url)), web1)
    hurried()
    sent()
    assert events(receiver) == {"opened": 1}
