"""An agent's clock: how far it is out, where that is said, and that it moves no sample."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from servers import clock_skew, ingest
from servers.models import Newest, Server
from servers.wire import Report
from tests.cast import program_of
from tests.servers.reports import post, report

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
NOW = timezone.now()


def tell(server: Server, number: int, behind: float, way: float = 0.0, **facts: Any) -> ingest.Stored:
    """A report each 10 s of an agent whose clock is so far behind, and so long on its way."""
    received = NOW + 10 * number * SECOND
    sent = (received - (behind + way) * SECOND).timestamp()
    body = report(ts=sent - 0.5, sentAt=sent, **facts)
    return ingest.store(server, msgspec.convert(body, Report), received)


def skew(server: Server) -> float | None:
    return clock_skew.skew_of(Newest.objects.get(server=server))


@pytest.mark.parametrize("behind", [12.0, -40.0, 0.0])
def test_it_is_the_least_of_the_last_reports(web1: Server, behind: float) -> None:
    for number, way in enumerate([0.9, 0.3, 2.0, 0.01, 5.0]):
        tell(web1, number, behind, way)
    assert skew(web1) == pytest.approx(behind + 0.01, abs=0.002)


def test_a_clock_that_was_put_right_is_right_after_some_reports(web1: Server) -> None:
    for number in range(3):
        tell(web1, number, -41.3)
    for number in range(3, 3 + clock_skew.KEPT):
        tell(web1, number, 0)
    assert skew(web1) == pytest.approx(0, abs=0.002)
    assert len(Newest.objects.get().skews) == clock_skew.KEPT


@pytest.mark.parametrize("behind", [3600.0, -3600.0])
def test_it_moves_no_sample(web1: Server, behind: float) -> None:
    placed = [tell(web1, number, behind).sampled_at for number in range(3)]
    for number, at in enumerate(placed):
        assert abs(at - (NOW + (10 * number - 0.5) * SECOND)) < 0.01 * SECOND


def test_samples_stay_in_order_when_the_agents_clock_is_set_in_between(web1: Server) -> None:
    stored = [tell(web1, number, behind) for number, behind in enumerate([0, 500, -500, 0, 30])]
    assert [one.outcome for one in stored] == ["stored"] * 5
    assert sorted(stored, key=lambda one: one.sampled_at) == stored


def test_an_agent_that_does_not_say_when_it_sent_has_none(web1: Server) -> None:
    ingest.store(web1, msgspec.convert(report(), Report), NOW)
    assert skew(web1) is None


@pytest.mark.parametrize(
    ("behind", "fact", "warning"),
    [
        (0.2, "right to the second", ""),
        (3, "3 s behind", ""),
        (12.4, "12 s behind", "clock 12 s behind"),
        (-7_300, "2 h ahead", "clock 2 h ahead"),
    ],
)
def test_pages_say_it(as_viewer: Client, web1: Server, behind: float, fact: str, warning: str) -> None:
    tell(web1, 0, behind)
    assert f"<dt>Clock</dt><dd>{fact}</dd>" in as_viewer.get("/servers/srv-web-01/").content.decode()
    fleet = as_viewer.get("/").content.decode()
    assert warning in fleet if warning else "clock" not in fleet.split('id="srv-')[1].split("</tr>")[0].lower()


def test_programs_are_told(viewer: User, web1: Server) -> None:
    tell(web1, 0, 12.4)
    assert program_of(viewer).get("/api/servers").json()["servers"][0]["skewSec"] == pytest.approx(12.4, abs=0.002)


def test_a_rate_below_zero_is_refused_by_its_name_and_nothing_is_stored(agent: Client, web1: Server) -> None:
    load = {"cpu": 1.0, "memUsedMB": 1, "memTotalMB": 2, "netRxBps": -1.0}
    answer = post(agent, report(load=load))
    assert answer.status_code == 400
    assert "load.netRxBps" in answer.json()["fields"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM servers_hostreading WHERE server_id = %s", [web1.pk])
        assert cursor.fetchone()[0] == 0
