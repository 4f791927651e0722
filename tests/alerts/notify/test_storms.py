"""Storms: however much happens at once, a contact gets few messages, and each incident is told in one of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts import moves, states
from alerts.models import Incident, Notification
from alerts.notify import messages, models, queueing, throttle, told
from servers.models import HubAbsence, Server, ServerGroup
from tests.alerts.notify.making import closed, contact, hurried, lines, notices, opened, opening, rule, sent, storm
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db


def events(receiver: Receiver) -> Counter[str]:
    """How many messages of each kind it got."""
    return Counter(json.loads(got.body)["event"] for got in receiver.got)


def later() -> None:
    """The time in which so many may be sent is over."""
    Notification.objects.filter(sent_at__isnull=False).update(sent_at=timezone.now() - throttle.WITHIN)
    hurried()


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


def test_one_in_a_summary_says_when_that_goes_out(web1: Server, receiver: Receiver, as_admin: Client) -> None:
    fired = storm(11, contact(address=receiver.url), web1)
    sent()
    left = next(one for one in fired if notices(incident=one) == [("opened", "queued")])
    due = Notification.objects.get(event=models.SUMMARY).due_at
    assert due > timezone.now()
    (one,) = told.of(left)
    assert (one.due, one.together) == (due, True)
    shown = as_admin.get(f"/alerts/{left.uuid}/").content.decode()
    assert re.search(rf'in a summary at <time datetime="{due:%Y-%m-%dT%H:%M:%S}', shown)
    said = as_admin.get(f"/api/incidents/{left.uuid}").json()["notifications"][0]
    assert (said["inSummary"], parse_datetime(said["dueAt"])) == (True, due)
    later()
    sent()
    assert [(one.word, one.together) for one in told.of(left)] == [("Sent", True)]


def test_a_summary_names_the_first_incidents_to_programs(web1: Server, receiver: Receiver) -> None:
    fired = storm(80, contact(address=receiver.url), web1)
    sent()
    receiver.status = 500
    later()
    sent()
    receiver.status = 200
    hurried()
    sent()
    summary = json.loads(receiver.got[-1].body)["summary"]
    assert (summary["total"], len(summary["incidents"]), "failed" in summary) == (70, messages.MOST_LISTED, False)
    first = summary["incidents"][0]
    assert first["id"] in {str(one.uuid) for one in fired}
    assert (first["event"], first["server"]) == ("opened", {"agent": "srv-web-01", "hostname": "srv-web-01"})
    assert first["title"] == "Memory used above 90%"
    assert {one["severity"] for one in summary["incidents"]} == {"warning"}  # the critical ones were told


def test_a_summary_names_the_worst_first_and_ends_last(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    before = storm(10, ops, web1)
    sent()
    closed(before[0])
    storm_of = [opened(rule(f"rule {n}", ops, severity=states.WARNING), web1) for n in range(2)]
    worse = [opened(rule(f"worse {n}", ops), web1) for n in range(10)]
    sent()
    later()
    sent()
    named = json.loads(receiver.got[-1].body)["summary"]["incidents"]
    assert [(one["event"], one["severity"]) for one in named] == [
        ("opened", "critical"), ("opened", "warning"), ("opened", "warning"), ("closed", "critical"),
    ]  # fmt: skip
    assert [one["id"] for one in named] == [str(one.uuid) for one in [worse[-1], *storm_of, before[0]]]


def test_what_is_over_before_the_summary_goes_out_is_not_in_it(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(13, ops, web1)
    sent()
    left = [one for one in fired if notices(incident=one) == [("opened", "queued")]]
    for one in left[:2]:
        closed(one)
    later()
    sent()
    assert json.loads(receiver.got[-1].body)["title"] == "1 incident"
    closed(left[2])
    sent()
    assert Counter(notices(incident=left[1])) == {("opened", "dropped"): 1}
    assert json.loads(receiver.got[-1].body)["event"] == "closed"


def test_a_summary_of_nothing_is_not_sent(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(12, ops, web1)
    sent()
    for one in fired:
        if notices(incident=one) == [("opened", "queued")]:
            closed(one)
    later()
    sent()
    assert events(receiver) == {"opened": 10}
    assert notices(event=models.SUMMARY) == [("summary", "dropped")]


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


def test_a_summary_that_fails_takes_all_it_tells_with_it(web1: Server, receiver: Receiver) -> None:
    ops = contact(address=receiver.url)
    fired = storm(12, ops, web1)
    sent()
    receiver.status = 404
    later()
    sent()
    assert notices(summary__isnull=False) == [("opened", "failed")] * 2
    said = Counter(tuple(lines(one)) for one in fired)
    assert said == {(states.OPENED, states.NOTIFIED): 10, (states.OPENED, states.NOT_NOTIFIED): 2}


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
