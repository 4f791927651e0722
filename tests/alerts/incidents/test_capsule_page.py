"""What readers see of a capsule: in words, with links to the moment; logs for operators; whatever was sent, escaped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone, translation

from alerts import states, timeline
from alerts.incidents import capsule, capsule_page, entries
from alerts.models import Incident
from alerts.remedy import outcomes
from alerts.rules import kinds
from servers import moments, service_history
from servers.models import Server, ServerGroup
from servers.service_events import Event
from tests.actions.making import NGINX, ago, command, service
from tests.alerts.acting_rules import opened, rule
from tests.alerts.capsules import page, shown
from tests.cast import enrolled, signed_in
from tests.servers.spiking import spike
from tests.servers.travelling import family, tell

pytestmark = pytest.mark.django_db
HOSTILE = '<script>alert("x")</script>\u202e\x1b[31m'


@pytest.fixture
def spiked(web1: Server) -> Incident:
    """CPU rose twenty minutes ago."""
    start = timezone.now().replace(microsecond=0) - timedelta(minutes=20)
    spike(web1, start)
    at = start + timedelta(minutes=5)
    by = rule(kind=kinds.READING)
    return opened(by, web1, "", at=at, began=at - timedelta(seconds=10), metric="cpu", limit=30)


def test_until_it_is_gathered_it_says_so_and_the_chart_is_there_already(spiked: Incident, viewer: User) -> None:
    before = page(spiked, viewer)
    assert "Being gathered…" in before
    assert 'id="cap-lane-cpu"' in before
    after = shown(spiked, viewer)
    assert "Being gathered…" not in after
    assert capsule_page.version(spiked) == "there-"


def test_what_rose_in_a_sentence_and_in_a_table_with_links_to_then(spiked: Incident, viewer: User) -> None:
    html = shown(spiked, viewer)
    assert "php-fpm (6 processes) rose most: 10% → 250% of one core." in html
    assert "MB.</b>" not in html, "its rule is about CPU"
    at = moments.written(datetime.fromisoformat(spiked.capsule["processes"]["at"]))  # type: ignore[index]
    assert f'href="/servers/srv-web-01/processes/31-1031/?at={at}"' in html
    assert f"/servers/srv-web-01/?at={moments.written(spiked.opened_at)}" in html
    assert "/servers/srv-web-01/explain/?from=" in html
    assert "new" in html


def test_links_lead_to_pages_that_are_there(spiked: Incident, as_viewer: Any, viewer: User) -> None:
    html = shown(spiked, viewer)
    links = {part.split('"')[0].replace("&amp;", "&") for part in html.split('href="')[1:]}
    pages = sorted(link for link in links if link.startswith("/"))
    assert len(pages) >= 6
    for link in pages:
        assert as_viewer.get(link).status_code == 200, link


def test_only_what_can_be_explained_links_to_the_explanation(web1: Server, viewer: User) -> None:
    service(web1)
    assert "/explain/" not in shown(opened(rule(), web1), viewer)


def test_the_incident_is_marked_on_the_chart(spiked: Incident, viewer: User) -> None:
    capsule.fill()
    chart = capsule_page.context(spiked, viewer)["chart"]
    assert [lane.id for lane in chart["lanes"]] == ["cpu", "mem", "load"]
    assert 40 < float(chart["mark"]["x"]) < 70
    assert float(chart["mark"]["width"]) > 20, "it is open still: up to now"
    Incident.objects.filter(pk=spiked.pk).update(state="closed", closed_at=spiked.opened_at + timedelta(minutes=1))
    spiked.refresh_from_db()
    assert float(capsule_page.context(spiked, viewer)["chart"]["mark"]["width"]) < 10


def test_the_lane_of_the_rules_own_reading_is_there(web1: Server, viewer: User) -> None:
    now = timezone.now()
    tell(web1, now - timedelta(minutes=1), family())
    incident = opened(rule(kind=kinds.READING), web1, "", at=now, metric="procs", limit=1)
    assert 'id="cap-lane-procs"' in shown(incident, viewer)


def test_killed_for_memory_is_said_first(web1: Server, viewer: User) -> None:
    service(web1, active_state="failed", result="oom-kill", main_pid=None)
    service_history.record(web1.pk, [Event(NGINX, ago(5), "oom_killed", {"pidBefore": 77})])
    html = shown(opened(rule(), web1), viewer)
    assert "The kernel killed it because the memory was used up." in html
    assert "nginx.service was killed because the memory was used up" in html


def test_the_hour_before_newest_first_and_a_command_once(web1: Server, viewer: User) -> None:
    service(web1)
    did = command(web1, "succeeded", created_at=ago(600), started_at=ago(600), ended_at=ago(595), asked_by_name="ana")
    service_history.record(
        web1.pk, [Event(NGINX, ago(598), "restarted", {"pidNow": 5}), Event("cron.service", ago(60), "stopped", {})]
    )
    incident = opened(rule(), web1)
    capsule.fill()
    rows = capsule_page.context(Incident.objects.get(pk=incident.pk), viewer)["fell"]
    assert [row.title for row in rows] == ["cron.service was stopped", "Restart nginx.service"]
    assert rows[1].meta == ["Succeeded", "ana"]
    assert f"/commands/{did.uuid}/" in page(incident, viewer)


def test_a_command_of_then_is_shown_with_its_state_of_now(web1: Server, viewer: User) -> None:
    service(web1)
    one = command(web1, "running", created_at=ago(5))
    incident = opened(rule(), web1)
    capsule.fill()
    type(one).objects.filter(pk=one.pk).update(state="failed")
    assert capsule_page.context(Incident.objects.get(pk=incident.pk), viewer)["fell"][0].state == "failed"


def test_expired_history_is_said_and_not_linked(web1: Server, viewer: User) -> None:
    at = timezone.now() - timedelta(days=40)
    tell(web1, at - timedelta(minutes=6), family(1.0))
    tell(web1, at - timedelta(minutes=1), family(80.0))
    incident = opened(rule(kind=kinds.READING), web1, "", at=at, metric="cpu")
    html = shown(incident, viewer)
    assert "The whole tables are kept for 30 days: this is what was noted of them." in html
    assert "nginx (2 processes) rose most: 1% → 80% of one core." in html
    assert "/processes/41-950/" not in html


def test_no_history_at_all_is_said(web1: Server, viewer: User) -> None:
    html = shown(opened(rule(kind=kinds.SILENT), web1, ""), viewer)
    assert "No process table of this moment was there." in html
    assert "No command, no change of a service and no boot." in html
    assert "cap-lane" not in html


def test_nothing_before_to_compare_with_is_said(web1: Server, viewer: User) -> None:
    now = timezone.now()
    tell(web1, now - timedelta(seconds=5), family(80.0))
    html = shown(opened(rule(kind=kinds.READING), web1, "", at=now, metric="cpu"), viewer)
    assert "No process table of just before was there to compare with." in html
    assert "rose most" not in html


def test_of_many_servers_the_first_member_that_the_reader_may_see(
    web1: Server, db1: Server, web_group: ServerGroup, db_group: ServerGroup, viewer: User, nobody: User
) -> None:
    made = rule()
    servers = [db1, web1, *(enrolled(f"db-{number}", db_group)[0] for number in range(4))]
    for one in servers:
        service(one)
        opened(made, one)
    for _ in range(3):
        capsule.fill()
    whole = Incident.objects.get(server=None)
    html = page(whole, viewer)
    assert "srv-db-01" not in html
    assert "/servers/srv-web-01/?at=" in html
    assert "Its servers&#x27; own incidents tell more." in page(whole, nobody)


def test_a_later_member_says_why_it_has_none(web_group: ServerGroup, viewer: User) -> None:
    made = rule()
    incidents = [opened(made, enrolled(f"web-{number}", web_group)[0]) for number in range(7)]
    for _ in range(3):
        capsule.fill()
    assert "it is one of many that opened at once" in page(incidents[-1], viewer)


def test_one_that_could_not_be_made_says_so(web1: Server, viewer: User) -> None:
    incident = opened(rule(), web1)
    Incident.objects.filter(pk=incident.pk).update(capsule={"failed": True}, capsule_due=None)
    assert "It could not be gathered" in page(incident, viewer)
    assert capsule_page.told(Incident.objects.get(pk=incident.pk), viewer) is None


def test_numbers_are_in_the_readers_language(spiked: Incident, viewer: User) -> None:
    capsule.fill()
    with translation.override("ro"):
        html = page(spiked, viewer)
    assert "50,0" in html


def test_it_costs_few_queries(spiked: Incident, viewer: User, django_assert_max_num_queries: Any) -> None:
    capsule.fill()
    spiked.refresh_from_db()
    with django_assert_max_num_queries(12):
        capsule_page.context(spiked, viewer)


def test_each_line_of_a_remedy_has_words_on_the_incidents_page(web1: Server, operator: User) -> None:
    incident = opened(rule(), web1)
    about = {"cmd": "restart", "target": NGINX}
    with transaction.atomic():
        timeline.note(states.ACTED, [incident], facts=about)
        timeline.note(states.ACT_ENDED, [incident], facts={**about, "outcome": "failed"})
        timeline.note(states.GAVE_UP, [incident], facts={**about, "most": 2, "withinSec": 3600})
        for why in outcomes.WHY:
            timeline.note(states.NOT_ACTED, [incident], facts={**about, "why": why, "said": "ana"})
    lines = entries.of(incident)
    assert set(states.ENTRIES) <= set(entries.KINDS)
    assert len({str(line.said) for line in lines}) == 4 + len(outcomes.WHY)
    assert next(line.glyph for line in lines if line.entry.kind == states.ACT_ENDED) == "failed"
    html = signed_in(operator).get(f"/alerts/{incident.uuid}/").content.decode()
    assert "It gave up on nginx.service: it acted 2 times in 1 h, as often as it may." in html
