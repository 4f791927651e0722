"""A summary of many notices: what is in it, to people and programs, and what becomes of those when it moves."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts import states
from alerts.models import Notification
from alerts.notify import messages, models, told
from servers.models import Server
from tests.alerts.notify.making import (
    closed,
    contact,
    events,
    hurried,
    later,
    lines,
    notices,
    opened,
    rule,
    sent,
    storm,
)
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db


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
    said = as_admin.get(f"/api/alerts/incidents/{left.uuid}").json()["notifications"][0]
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
    gone = next(one for one in before if one.severity == states.CRITICAL)
    closed(gone)
    storm_of = [opened(rule(f"rule {n}", ops, severity=states.WARNING), web1) for n in range(2)]
    worse = [opened(rule(f"worse {n}", ops), web1) for n in range(10)]
    sent()
    later()
    sent()
    named = json.loads(receiver.got[-1].body)["summary"]["incidents"]
    assert [(one["event"], one["severity"]) for one in named] == [
        ("opened", "critical"), ("opened", "warning"), ("opened", "warning"), ("closed", "critical"),
    ]  # fmt: skip
    assert [one["id"] for one in named] == [str(one.uuid) for one in [worse[-1], *storm_of, gone]]


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
