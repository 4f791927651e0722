"""Rounds after a pause of the worker, of the hub, of a server; reports that come late; clocks that are set."""

from __future__ import annotations

import pytest
from django.db import connection

from alerts import states
from alerts.evaluate import freshness, machine
from alerts.models import Incident, IncidentEntry, Looked, Standing
from servers import ingest
from servers.models import HubAbsence, HubBeat, Server
from servers.wire import Load, Report
from tests.alerts.reporting import MINUTE, SECOND, a_rule, episodes, evaluate, recently, report, servers_named, told

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND


def test_a_sample_is_looked_at_once(web1: Server) -> None:
    a_rule()
    start = recently()
    report({web1: 95}, start)
    evaluate(start)
    report({web1: 20}, start + STEP)
    for seconds in (10, 11, 12):
        evaluate(start + seconds * SECOND)
    assert episodes(start) == [("srv-web-01", 0, 0, 10)]
    assert Looked.objects.get().at == start + STEP


def test_a_report_that_commits_late_is_looked_at_all_the_same(web1: Server, web2: Server) -> None:
    """What is stored while a round runs is older than the round, and not seen by it."""
    a_rule()
    start = recently()
    report({web2: 20}, start)
    evaluate(start + 2 * SECOND)
    report({web1: 95}, start + SECOND)
    evaluate(start + 7 * SECOND)
    assert episodes(start) == [("srv-web-01", 1, 1, None)]


def test_late_samples_open_nothing(web1: Server) -> None:
    a_rule()
    start = recently()
    told(web1, [20, 20, 20], start)
    kept = Report(
        web1.agent_id, (start + 5 * SECOND).timestamp(), Load(cpu=99), [], sent_at=(start + MINUTE).timestamp()
    )
    assert ingest.store(web1, kept, start + MINUTE).outcome == ingest.LATE
    evaluate(start + MINUTE)
    assert not Incident.objects.exists()


def test_nothing_that_happened_in_an_absence_of_the_hub_counts(web1: Server) -> None:
    a_rule(for_sec=20)
    start = recently()
    told(web1, [95, 95], start)
    HubAbsence.objects.create(start=start + 11 * SECOND, end=start + 29 * SECOND, why=HubAbsence.STOPPED)
    last = told(web1, [95, 95, 20], start + 2 * STEP)  # the first of these was sampled in it
    assert not Incident.objects.exists()
    told(web1, [95, 95, 95], last + STEP)
    assert episodes(start) == [("srv-web-01", 50, 70, None)]


def test_what_fires_goes_on_firing_over_an_absence_of_the_hub(web1: Server) -> None:
    a_rule(clear_for_sec=20)
    start = recently()
    told(web1, [95, 20], start)
    HubAbsence.objects.create(start=start + 11 * SECOND, end=start + 40 * SECOND, why=HubAbsence.STOPPED)
    told(web1, [20, 20, 20], start + 5 * STEP)
    assert episodes(start) == [("srv-web-01", 0, 0, 70)]
    assert not IncidentEntry.objects.filter(kind=states.NO_DATA).exists()


def test_nothing_is_evaluated_while_the_hub_takes_no_reports(web1: Server) -> None:
    a_rule()
    start = recently()
    report({web1: 95}, start)
    HubBeat.objects.create(at=start - MINUTE, since=start - 5 * MINUTE, boot_sec=1, awake_sec=1)
    evaluate(start)
    assert not Incident.objects.exists()
    HubBeat.objects.update(at=start)
    evaluate(start + SECOND)
    assert Incident.objects.get().opened_at == start


def test_a_worker_that_was_away_catches_up_as_if_it_had_run(web1: Server, web2: Server) -> None:
    a_rule(for_sec=30)
    start = recently(30 * MINUTE)
    told(web1, [20], start)
    cpus = [95 if 30 <= place % 60 < 40 else 20 for place in range(1, 120)]
    for place, cpu in enumerate(cpus, 1):
        report({web1: cpu, web2: 20}, start + place * STEP)
    evaluate(start + 120 * STEP)
    assert episodes(start) == [("srv-web-01", 300, 330, 400), ("srv-web-01", 900, 930, 1000)]


def test_catching_up_comes_in_slices_and_tells_the_same(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MOST_SEC", 600)
    test_a_worker_that_was_away_catches_up_as_if_it_had_run(web1, servers_named(["other"])[0])


def test_what_is_older_than_an_hour_is_skipped_and_the_log_says_so(
    web1: Server, caplog: pytest.LogCaptureFixture
) -> None:
    a_rule()
    start = recently(90 * MINUTE)
    told(web1, [20], start)
    report({web1: 95}, start + STEP)
    report({web1: 20}, start + 89 * MINUTE)
    evaluate(start + 89 * MINUTE)
    assert not Incident.objects.exists()
    assert "alerts.skipped" in caplog.text


def test_a_new_rule_does_not_look_back(web1: Server) -> None:
    first, start = a_rule(limit=99), recently()
    told(web1, [20], start)
    for place in range(1, 30):
        report({web1: 95 if place < 20 else 20}, start + place * STEP)
    a_rule()
    evaluate(start + 30 * STEP)
    assert not Incident.objects.exists()
    first.refresh_from_db()
    assert first.evaluated_until == start + 30 * STEP


def test_a_clock_that_was_set_back_holds_up_nothing(web1: Server) -> None:
    a_rule()
    start = recently()
    told(web1, [95], start + 5 * MINUTE)
    evaluate(start)
    assert Standing.objects.get().at == start
    assert Standing.objects.get().phase == machine.FIRING
    Looked.objects.update(at=start + 5 * MINUTE)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM servers_hostreading")
        cursor.execute("UPDATE servers_newest SET sampled_at = %s, received_at = %s", [start, start])
    told(web1, [20], start + STEP)
    assert not Incident.objects.live().exists()
