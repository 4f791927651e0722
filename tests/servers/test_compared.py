"""What the page of a past moment says differs from now, or from another moment."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import parse_qsl, urlencode

import pytest
from django.test import Client
from django.utils import timezone

from servers import moments
from servers.history import HOUR
from servers.models import Server
from tests.servers.reports import service
from tests.servers.samples import proc
from tests.servers.travelling import MINUTE, SECOND, family, page, past_hours, rows, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(web1: Server) -> datetime:
    """When the first of web1's four tables was taken."""
    return past_hours(web1)


def differences(shown: str) -> list[str]:
    return re.findall(r'<tr id="dif-([a-z]+-\d+-\d+)"', shown)


def test_says_what_came_and_went_since(as_viewer: Client, web1: Server, first: datetime) -> None:
    tell(web1, timezone.now(), [*family(80.0)[1:], proc(88, name="cat", start_ticks=9)])
    shown = page(as_viewer, first)
    assert differences(shown) == ["new-88-9", "gone-1-5", "grown-41-950"]
    assert '<span class="muted">10.0 →</span> 80.0' in shown
    assert '<h2 id="cmp-h">Since <time' in shown


def test_compares_two_moments_the_earlier_first(as_viewer: Client, first: datetime) -> None:
    later = moments.written(first + HOUR + 10 * SECOND)
    for shown in (page(as_viewer, first, f"?with={later}"), page(as_viewer, later, f"?with={moments.written(first)}")):
        assert differences(shown) == ["restarted-99-8000"]
        assert "41 → 99" in shown
        assert re.search(r'id="cmp-h">From <time[^>]*>\d\d:00:00</time> to <time[^>]*>\d\d:00:10<', shown)


def test_compares_with_the_same_time_of_a_day_before(as_viewer: Client, web1: Server) -> None:
    at = timezone.now() - HOUR
    for before, cpu_then in ((timedelta(days=1), 10.0), (timedelta(0), 60.0)):
        tell(web1, at - before, family(cpu_then))
    shown = page(as_viewer, at + SECOND, "?ps=mem&range=6h")
    link = re.search(r'<a href="\?([^"]*)" data-travel>−24 h</a>', shown)
    assert link is not None
    query = dict(parse_qsl(unescape(link[1])))
    assert (query["ps"], query["range"]) == ("mem", "6h")
    shown = page(as_viewer, query.pop("at"), f"?{urlencode(query)}")
    assert differences(shown) == ["grown-41-950"]
    assert re.search(r'id="cmp-h">From <time[^>]*>\d+ \w+, [\d:]+</time> to <time[^>]*>\d+ \w+, [\d:]+<', shown)
    assert 'aria-current="true">−24 h</a>' in shown


def test_over_a_boot_no_process_is_the_same(as_viewer: Client, web1: Server) -> None:
    """Whatever its pid and start ticks: the first process has the same ones in each boot."""
    first = timezone.now() - 10 * MINUTE
    for number, boot in enumerate(("one", "two")):
        tell(web1, first + number * MINUTE, family()[:2], bootId=boot, services=[service()])
    shown = page(as_viewer, first)
    assert differences(shown) == ["restarted-1-5", "restarted-40-900"]
    assert "The server was booted in between, <time" in shown
    assert "booted in between" not in page(as_viewer, first + MINUTE)


def test_what_differs_leads_to_the_processs_page_at_a_moment_when_it_was_there(
    as_viewer: Client, first: datetime
) -> None:
    later = first + HOUR + 10 * SECOND
    shown = page(as_viewer, first + HOUR, f"?with={moments.written(later)}")
    assert f'<a href="processes/99-8000/?at={moments.written(later)}">nginx</a>' in shown
    assert f'<a href="processes/77-7000/?at={moments.written(first + HOUR)}">backup</a>' in shown
    assert "This process was in no process table" not in page(as_viewer, later, "processes/99-8000/")


def test_a_moment_of_which_nothing_is_known_is_not_compared_with(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first, f"?with={moments.written(first + 40 * MINUTE)}")
    assert "No process table was reported at this moment." in shown
    assert differences(shown) == []
    assert len(rows(shown)) == 3
