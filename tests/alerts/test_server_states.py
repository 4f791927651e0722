"""Rules about servers themselves: silent, booted anew, clock off, agent outdated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from alerts import states
from alerts.models import Incident, Standing
from alerts.rules import kinds
from servers import download
from servers.models import HubAbsence, Newest, Server, StateChange
from tests.alerts.reporting import MINUTE, SECOND, a_rule, episodes, evaluate, recently, report

pytestmark = pytest.mark.django_db
STEP = 10 * SECOND


def marked(server: Server, state: str, at: datetime) -> None:
    """As presence.py and report_rows.py do."""
    Server.objects.filter(pk=server.pk).update(state=state, state_since=at)
    StateChange.objects.create(server=server, state=state, at=at)


def about_servers(kind: str, **facts: Any) -> None:
    a_rule(kind=kind, params={}, **({"limit": None} | facts))


def test_a_silent_server_opens_one_and_being_up_closes_it(web1: Server, web2: Server) -> None:
    about_servers(kinds.SILENT, for_sec=60)
    start = recently()
    evaluate(start)
    marked(web1, "silent", start + 2 * SECOND)
    for seconds in range(5, 80, 5):
        evaluate(start + seconds * SECOND)
    assert episodes(start) == [("srv-web-01", 2, 65, None)]
    assert (Incident.objects.get().value, Incident.objects.get().facts) == (None, {})
    marked(web1, "up", start + 82 * SECOND)
    evaluate(start + 85 * SECOND)
    assert episodes(start) == [("srv-web-01", 2, 65, 82)]
    assert not Standing.objects.exists()


def test_a_server_that_was_up_for_a_moment_between_two_rounds_has_two_incidents(web1: Server) -> None:
    about_servers(kinds.SILENT)
    start = recently()
    marked(web1, "silent", start)
    evaluate(start + SECOND)
    marked(web1, "up", start + 2 * SECOND)
    marked(web1, "silent", start + 4 * SECOND)
    evaluate(start + 6 * SECOND)
    assert episodes(start) == [("srv-web-01", 0, 0, 2), ("srv-web-01", 4, 4, None)]


def test_silence_does_not_count_through_an_absence_of_the_hub(web1: Server) -> None:
    about_servers(kinds.SILENT, for_sec=60)
    start = recently()
    evaluate(start)
    marked(web1, "silent", start + SECOND)
    evaluate(start + 30 * SECOND)
    HubAbsence.objects.create(start=start + 31 * SECOND, end=start + 5 * MINUTE, why=HubAbsence.ASLEEP)
    evaluate(start + 5 * MINUTE + 5 * SECOND)
    assert not Incident.objects.exists()
    evaluate(start + 6 * MINUTE + SECOND)
    assert episodes(start) == [("srv-web-01", 300, 361, None)]


def test_a_server_that_was_never_heard_of_is_not_silent(web1: Server) -> None:
    about_servers(kinds.SILENT)
    evaluate(recently())
    assert web1.state == "waiting"
    assert not Incident.objects.exists()


def booting(server: Server, at: datetime) -> None:
    """A report that tells a boot some seconds ago."""
    report({server: 5}, at, boot_id=f"{at}", uptime_sec=4)


def test_a_reboot_holds_its_incident_open_for_the_window(web1: Server, web2: Server) -> None:
    a_rule(kind=kinds.REBOOTED, params={"withinSec": 60}, limit=None)
    start = recently()
    report({web1: 5, web2: 5}, start, boot_id="first", uptime_sec=9000)
    evaluate(start)
    booting(web1, start + STEP)
    evaluate(start + STEP)
    assert episodes(start) == [("srv-web-01", 6, 6, None)]
    evaluate(start + MINUTE)
    booting(web1, start + MINUTE)
    for seconds in (65, 70, 110, 120, 125):
        evaluate(start + seconds * SECOND)
    assert episodes(start) == [("srv-web-01", 6, 6, 116)]  # the second boot holds it open for longer


def test_a_reboot_during_a_pause_of_the_worker_is_told_with_its_own_times(web1: Server) -> None:
    a_rule(kind=kinds.REBOOTED, params={"withinSec": 60}, limit=None)
    start = recently()
    report({web1: 5}, start, boot_id="first", uptime_sec=9000)
    evaluate(start)
    booting(web1, start + STEP)
    evaluate(start + 5 * MINUTE)
    assert episodes(start) == [("srv-web-01", 6, 6, 66)]


def test_a_reboot_before_the_rule_was_made_opens_nothing(web1: Server) -> None:
    start = recently()
    report({web1: 5}, start, boot_id="first", uptime_sec=9000)
    booting(web1, start + STEP)
    a_rule(kind=kinds.REBOOTED, params={"withinSec": 900}, limit=None)
    evaluate(start + 4 * MINUTE)
    evaluate(start + 5 * MINUTE)
    assert not Incident.objects.filter(began_at__lt=start + 3 * MINUTE).exists()


@pytest.mark.parametrize("ahead", [1, -1])
def test_a_clock_that_is_off_by_more_than_the_limit_opens_one(web1: Server, web2: Server, ahead: int) -> None:
    about_servers(kinds.SKEW, limit=5, clear_limit=3)
    start = recently()
    for place, skew in enumerate([0, 7, 4, 2]):
        at = start + place * STEP
        Newest.objects.update(skews=[])
        report({web1: 5}, at, ahead=ahead * skew)
        report({web2: 5}, at, ahead=ahead)
        evaluate(at)
    assert episodes(start) == [("srv-web-01", 10, 10, 30)]
    one = Incident.objects.get()
    assert one.value == pytest.approx(7, abs=0.1)
    assert one.facts == {"limit": 5}


def test_an_agent_older_than_the_hubs_opens_one_until_it_is_as_new(web1: Server, web2: Server) -> None:
    about_servers(kinds.OUTDATED)
    start, hub = recently(), download.agent_version()
    newer = f"{int(hub.split('.')[0]) + 10}.0.0"
    for place, version in enumerate(["0.0.9", "0.0.10", hub, newer]):
        report({web1: 5}, start + place * STEP, version=version)
        report({web2: 5}, start + place * STEP, version=newer)
        evaluate(start + place * STEP)
    assert episodes(start) == [("srv-web-01", 0, 0, 20)]
    assert Incident.objects.get().facts == {"version": "0.0.9", "hub": hub}


def test_versions_are_compared_by_their_numbers(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "agent_version", lambda: "0.10.1")
    about_servers(kinds.OUTDATED)
    start = recently()
    for place, version in enumerate(["0.9.2", "0.10.1", "0.11"]):
        report({web1: 5}, start + place * STEP, version=version)
        evaluate(start + place * STEP)
    assert episodes(start) == [("srv-web-01", 0, 0, 10)]


@pytest.mark.parametrize("kind", [kinds.SKEW, kinds.OUTDATED])
def test_what_fires_of_a_server_that_fell_silent_is_held(web1: Server, kind: str) -> None:
    about_servers(kind, limit=5)
    start = recently()
    report({web1: 5}, start, ahead=60, version="0.0.1")
    evaluate(start)
    marked(web1, "silent", start + STEP)
    evaluate(start + 2 * STEP)
    one = Incident.objects.get()
    assert (one.state, one.no_data_since) == (states.OPEN, start + 2 * STEP)
