"""Incidents on the dashboard: how servers stand, in which order, how they are counted."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves
from alerts import states as alert_states
from alerts.models import Rule
from alerts.rules import kinds
from pmonitor.live import View
from servers import fleet_live, fleet_totals, states
from servers.models import Server, ServerGroup
from tests.alerts.incidents.pages import text
from tests.alerts.opening import close_all, farm, open_all, opened, opening, rule
from tests.cast import enrolled
from tests.servers.test_fleet import listed, report

VIEWER = View("en", "viewer")


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


@pytest.fixture
def full(db: None) -> Rule:
    return rule("Disk", kinds.DISK_USED, severity=alert_states.WARNING, limit=90)


@pytest.fixture
def five(web_group: ServerGroup) -> list[Server]:
    """Servers that are up."""
    made = [enrolled(f"srv-{name}", web_group)[0] for name in "abcde"]
    for server in made:
        report(server, 10)
    return made


def test_servers_in_trouble_come_first(down: Rule, full: Rule, as_viewer: Client, five: list[Server]) -> None:
    opened(full, five[1], "/", limit=90)
    opened(full, five[3], "/", limit=90)
    opened(down, five[3], "a.service")
    Server.objects.filter(pk=five[4].pk).update(state=states.SILENT)
    opened(down, five[4], "a.service")  # nothing else is known of a silent one
    assert listed(as_viewer) == ["srv-d", "srv-e", "srv-b", "srv-a", "srv-c"]
    assert listed(as_viewer, "/?status=critical") == ["srv-d"]
    assert listed(as_viewer, "/?status=warning") == ["srv-b"]
    assert listed(as_viewer, "/?status=up") == ["srv-a", "srv-c"]
    assert listed(as_viewer, "/?status=attention") == ["srv-d", "srv-e", "srv-b"]
    standing = {"up": 2, "warning": 1, "critical": 1, "silent": 1, "waiting": 0}
    totals = fleet_totals.totals(Server.objects.all())
    assert (totals.standing, totals.attention, totals.up_share) == (standing, 3, 40)
    assert [(group.name, group.glyph, group.servers) for group in totals.groups] == [("web", "critical", 5)]


def test_what_is_over_or_silenced_troubles_nobody(down: Rule, operator: User, five: list[Server]) -> None:
    close_all([opened(down, five[0], "a.service")])
    person_moves.snooze(operator, opened(down, five[1], "a.service"), timezone.now() + timedelta(hours=1))
    person_moves.acknowledge(operator, opened(down, five[2], "a.service"))
    assert fleet_totals.totals(Server.objects.all()).standing["critical"] == 1  # taken is not over


def test_a_row_and_the_servers_page_say_it(down: Rule, as_viewer: Client, five: list[Server]) -> None:
    key = str(five[0].pk)
    before = fleet_live.update_row(key, VIEWER, None)[0].version
    opened(down, five[0], "a.service")
    shown, (html,) = fleet_live.update_row(key, VIEWER, None)
    assert shown.version != before
    assert 'data-state="critical"' in html.split(">", 1)[0]
    assert re.search(
        r'id="srv-status" class="status pill" data-state="critical"', text(as_viewer.get("/servers/srv-a/"))
    )


def test_the_totals_count_incidents(
    down: Rule, operator: User, as_viewer: Client, as_outsider: Client, db1: Server, five: list[Server]
) -> None:
    first = opened(down, five[0], "a.service")
    opened(down, five[0], "b.service")
    person_moves.acknowledge(operator, first)
    cell = re.compile(r'<li id="sum-incidents".*?</li>', re.DOTALL)
    (shown,) = cell.findall(text(as_viewer.get("/")))
    assert "<b>2</b><small>1 unacknowledged</small>" in shown
    (theirs,) = cell.findall(text(as_outsider.get("/")))
    assert "none unacknowledged" in theirs


def test_the_rail_lists_the_worst(
    down: Rule, full: Rule, operator: User, as_viewer: Client, as_outsider: Client, db1: Server, five: list[Server]
) -> None:
    rail = re.compile(r'<section class="panel" id="rail-incidents".*?</section>', re.DOTALL)
    assert "hidden" in rail.findall(text(as_viewer.get("/")))[0].split(">")[0]
    open_all([opening(full, five[1], f"/{number}", limit=90) for number in range(8)])
    person_moves.acknowledge(operator, opened(down, five[0], "a.service"))
    (shown,) = rail.findall(text(as_viewer.get("/")))
    assert '<span class="count">9</span>' in shown
    assert re.findall(r'<li id="rail-\d+" data-state="(\w+)"', shown) == ["critical"] + ["warning"] * 6
    assert "by oleg" in shown
    assert "<li" not in rail.findall(text(as_outsider.get("/")))[0]


def test_many_servers_are_one_incident_and_all_of_them_in_trouble(web_group: ServerGroup, as_viewer: Client) -> None:
    silent, servers = rule("Skew", kinds.SKEW, limit=5), farm(6, web_group)
    for server in servers:
        report(server, 10)
    open_all([opening(silent, server) for server in servers])
    page = text(as_viewer.get("/"))
    assert page.count('<tr id="srv-') == 6
    assert page.count('data-state="critical" data-topic="row:') == 6
    assert "<b>1</b><small>1 unacknowledged</small>" in page
