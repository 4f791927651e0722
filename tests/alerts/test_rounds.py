"""Rounds over what servers report: what opens and closes, each once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts import states
from alerts.models import Incident, IncidentEntry, Standing
from servers import ingest
from servers.models import Server
from servers.wire import Load, Report
from tests.alerts.reporting import SECOND, a_rule, episodes, evaluate, recently, report, servers_named, told

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND


def test_a_reading_over_its_limit_opens_an_incident_that_says_what_it_saw(web1: Server, web2: Server) -> None:
    rule, start = a_rule(name="CPU", severity="critical"), recently()
    report({web1: 95.5, web2: 90}, start)
    evaluate(start)
    one = Incident.objects.get()
    assert (one.rule, one.rule_name, one.kind, one.severity) == (rule, "CPU", "reading", "critical")
    assert (one.server, one.subject, one.state, one.value, one.worst) == (web1, "", states.OPEN, 95.5, 95.5)
    assert (one.began_at, one.opened_at, one.closed_at) == (start, start, None)
    assert one.facts == {"metric": "cpu", "below": False, "limit": 90}
    assert list(one.entries.values_list("kind", "at")) == [(states.OPENED, start)]


def test_it_closes_with_the_first_sample_that_is_not_over(web1: Server) -> None:
    a_rule()
    start = recently()
    told(web1, [95, 91, 90, 95, 20], start)
    assert episodes(start) == [("srv-web-01", 0, 0, 20), ("srv-web-01", 30, 30, 40)]
    assert not Standing.objects.exists()
    assert set(Incident.objects.values_list("close_reason", flat=True)) == {states.CLEARED}


def test_for_counts_from_the_first_sample_over_and_anew_after_one_that_is_not(web1: Server) -> None:
    a_rule(for_sec=20)
    start = recently()
    told(web1, [95, 95, 80, 95, 95, 95, 80], start)
    assert episodes(start) == [("srv-web-01", 30, 50, 60)]


def test_a_sample_without_the_reading_is_no_recovery(web1: Server) -> None:
    a_rule()
    start = recently()
    told(web1, [95, None], start)
    assert Incident.objects.get().no_data_since == start + STEP
    told(web1, [95, 20], start + 2 * STEP)
    assert episodes(start) == [("srv-web-01", 0, 0, 30)]
    kinds_told = list(IncidentEntry.objects.order_by("at").values_list("kind", flat=True))
    assert kinds_told == [states.OPENED, states.NO_DATA, states.DATA_AGAIN, states.ENDED]
    assert Incident.objects.get().no_data_since is None


def test_a_server_that_falls_silent_holds_what_fires_and_drops_what_is_pending(web1: Server, web2: Server) -> None:
    a_rule(for_sec=10)
    start = recently()
    report({web1: 95}, start)
    evaluate(start)
    report({web1: 95, web2: 95}, start + STEP)
    evaluate(start + STEP)
    Server.objects.update(state="silent")
    evaluate(start + 45 * SECOND)
    evaluate(start + 50 * SECOND)
    assert Incident.objects.get().no_data_since == start + 45 * SECOND
    assert [one.server for one in Standing.objects.all()] == [web1]
    assert IncidentEntry.objects.filter(kind=states.NO_DATA).count() == 1


def test_the_worst_value_is_kept_without_a_line_for_each(web1: Server) -> None:
    a_rule()
    told(web1, [91, 97, 93], recently())
    one = Incident.objects.get()
    assert (one.value, one.worst) == (91, 97)
    assert one.entries.count() == 1


def test_down_and_up_and_down_within_a_round_are_all_recorded(web1: Server) -> None:
    a_rule()
    start = recently()
    for place, cpu in enumerate([20, 95, 20, 95, 96]):
        report({web1: cpu}, start + place * STEP)
    evaluate(start + 5 * STEP)
    assert episodes(start) == [("srv-web-01", 10, 10, 20), ("srv-web-01", 30, 30, None)]
    assert Incident.objects.live().get().worst == 96


def test_no_recovery_without_a_down(web1: Server) -> None:
    a_rule(for_sec=30)
    told(web1, [20, 95, 20, 95, 95, 20, 20], recently())
    assert not IncidentEntry.objects.exists()


def test_two_thousand_servers_over_at_once_open_each_one_incident_in_few_queries() -> None:
    servers = servers_named([f"many-{number:04}" for number in range(2000)])
    a_rule()
    start = recently()
    report(dict.fromkeys(servers, 20.0), start)
    evaluate(start)
    report(dict.fromkeys(servers, 99.0), start + STEP)
    with CaptureQueriesContext(connection) as queries:
        evaluate(start + STEP)
    assert Incident.objects.live().filter(server__isnull=False).count() == 2000
    assert Incident.objects.live().listed().count() == 1  # of many servers
    assert len(queries) <= 40
    evaluate(start + 11 * SECOND)
    assert Incident.objects.count() == 2001
    report(dict.fromkeys(servers, 20.0), start + 2 * STEP)
    with CaptureQueriesContext(connection) as queries:
        evaluate(start + 2 * STEP)
    assert not Incident.objects.live().exists()
    assert len(queries) <= 40


def test_limits_and_readings_are_as_exact_as_each_other(web1: Server) -> None:
    """Both have four bytes: a value on the limit is not over it, whatever both are in eight bytes."""
    a_rule(limit=90.123456789)
    start = recently()
    told(web1, [90.123456789, 90.2, 90.123456789], start)
    assert episodes(start) == [("srv-web-01", 10, 10, 20)]


def test_a_lower_limit_and_a_share_are_looked_at_like_any_other(web1: Server) -> None:
    a_rule(name="low", params={"metric": "cpu", "below": True}, limit=10, clear_limit=15)
    a_rule(name="mem", params={"metric": "mem"}, limit=50)
    a_rule(name="load", params={"metric": "load1PerCpu"}, limit=2)
    start = recently()
    for place, (cpu, used, total, load1) in enumerate(
        [(12, 40, 100, 8), (9, 60, 100, 9), (12, 40, 0, 8), (16, 4, 9, 9)]
    ):
        at, load = start + place * STEP, Load(cpu=cpu, mem_used_mb=used, mem_total_mb=total, load1=load1)
        ingest.store(web1, Report(web1.agent_id, at.timestamp(), load, [], cpu_count=4), at)
        evaluate(at)
    told_of = [(one.rule_name, one.value, one.closed_at) for one in Incident.objects.order_by("rule_name", "pk")]
    last = start + 3 * STEP
    assert told_of == [("load", 2.25, last - STEP), ("load", 2.25, None), ("low", 9, last), ("mem", 60, last)]
