"""Incidents on the server page, now and as of a moment, on a service's page and among what fell into a stretch."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import server_part
from alerts.models import Rule
from alerts.rules import kinds
from pmonitor.live import View
from servers.models import Server
from tests.actions import making
from tests.actions.making import ago
from tests.alerts.incidents.pages import text
from tests.alerts.opening import close_all, opened, rule

NGINX = "nginx.service"
PAGE = "/servers/srv-web-01/"


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


def panel(page: str) -> str:
    """The incidents' panel of a page."""
    start = page.index('id="incidents-panel"')
    return page[start : page.index("</section>", start)]


def lane(server: Server, start: datetime, end: datetime) -> list[tuple[str, float, float]]:
    bars = server_part.lane(server, start, end)["lane_incidents"]
    return [(bar["state"], float(bar["x"]), float(bar["width"])) for bar in bars]


def test_live_ones_come_first_the_worst_on_top(down: Rule, as_viewer: Client, web1: Server, db1: Server) -> None:
    full = rule("Disk", kinds.DISK_USED, severity=states.WARNING, limit=90)
    close_all([opened(down, web1, "over.service", ago(100))])
    opened(down, web1, NGINX, ago(600))
    opened(full, web1, "/srv", ago(10), limit=90)
    opened(down, db1, "theirs.service")
    shown = panel(text(as_viewer.get(PAGE)))
    places = [shown.index(title) for title in ("nginx.service failed", "Disk /srv over 90%", "over.service failed")]
    assert places == sorted(places)
    assert "theirs" not in shown
    assert f'data-topic="alerts:{web1.pk}"' in shown


def test_what_moves_the_panel_moves_how_the_server_stands(down: Rule, web1: Server) -> None:
    """Else an open page says Critical until the next report, which may be long in coming."""
    Server.objects.filter(pk=web1.pk).update(state="up")
    view = View("en", "viewer")
    one = opened(down, web1, NGINX)
    assert "Critical" in server_part.update(str(web1.pk), view)[1]["status"]
    close_all([one])
    assert "Up" in server_part.update(str(web1.pk), view)[1]["status"]


def test_without_incidents_it_says_so(as_viewer: Client, web1: Server) -> None:
    assert "No incident is open." in panel(text(as_viewer.get(PAGE)))


def test_the_past_shows_them_as_they_were(down: Rule, operator: User, as_viewer: Client, web1: Server) -> None:
    one = opened(down, web1, NGINX, ago(3600))
    close_all([opened(down, web1, "short.service", ago(3000))], ago(2900))
    opened(down, web1, "later.service", ago(60))
    person_moves.acknowledge(operator, one)
    close_all([one])
    then = panel(text(as_viewer.get(PAGE, {"at": ago(2950).isoformat()})))
    assert then.count("Open") == 2
    assert "later" not in then
    assert "by oleg" not in then
    assert "data-topic" not in then
    later = panel(text(as_viewer.get(PAGE, {"at": ago(2000).isoformat()})))
    assert later.count(">Open<") == 1
    assert "Cleared" in later
    assert "nginx.service failed" in text(as_viewer.get(f"{PAGE}then/", {"at": ago(2950).isoformat()}))


def test_the_lane_draws_them_where_they_were(down: Rule, web1: Server) -> None:
    end = timezone.now()
    start = end - timedelta(seconds=1000)
    close_all([opened(down, web1, "a.service", end - timedelta(seconds=1500))], end - timedelta(seconds=750))
    close_all([opened(down, web1, "b.service", end - timedelta(seconds=600))], end - timedelta(seconds=500))
    opened(down, web1, "c.service", end - timedelta(seconds=200))
    close_all([opened(down, web1, "before.service", end - timedelta(seconds=3000))], end - timedelta(seconds=2000))
    drawn = lane(web1, start, end)
    assert drawn == [("critical", 0, 25), ("critical", 40, 10), ("critical", 80, 20)]


def test_the_timeline_has_their_lane(down: Rule, as_viewer: Client, web1: Server) -> None:
    one = opened(down, web1, NGINX, ago(600))
    page = text(as_viewer.get(f"{PAGE}?range=1h"))
    assert f'id="bar-{one.pk}"' in page
    assert "Critical: nginx.service failed, open since" in page


def test_what_was_open_in_a_stretch_fell_into_it(down: Rule, web1: Server) -> None:
    one = opened(down, web1, NGINX, ago(600))
    (fell,) = server_part.between(web1, ago(300), timezone.now())
    assert (fell.kind, fell.target, fell.state, fell.ref) == ("incident", NGINX, "critical", str(one.uuid))
    assert "nginx.service failed" in fell.html()
    assert server_part.between(web1, ago(3000), ago(2000)) == []


def test_a_services_page_shows_its_own(down: Rule, as_viewer: Client, web1: Server) -> None:
    making.service(web1)
    address = f"/servers/srv-web-01/services/{NGINX}/"
    assert "incidents-panel" not in text(as_viewer.get(address))
    opened(down, web1, NGINX)
    opened(down, web1, "other.service")
    shown = panel(text(as_viewer.get(address)))
    assert "nginx.service failed" in shown
    assert "other" not in shown
