"""The server page as of a past moment: to whom, of which moment, and what it says where there is none."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from servers import moments
from servers.history import HOUR
from servers.models import Server
from tests.servers.reports import service
from tests.servers.samples import proc
from tests.servers.travelling import MINUTE, PAGE, SECOND, family, page, past_hours, rows, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(web1: Server) -> datetime:
    """When the first of web1's four tables was taken."""
    return past_hours(web1)


def cpu(shown: str) -> str:
    found = re.search(r'id="c-(?:41-950|99-8000)">([\d.]+)<', shown)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (timedelta(0), "10.0"),
        (9 * SECOND, "10.0"),
        (10 * SECOND, "20.0"),
        (HOUR + 9 * SECOND, "30.0"),
        (HOUR + 12 * SECOND, "40.0"),
    ],
)
def test_shows_the_table_of_that_moment_from_chunks_and_raw_rows(
    as_viewer: Client, first: datetime, after: timedelta, shown: str
) -> None:
    found = page(as_viewer, first + after)
    assert cpu(found) == shown
    assert len(rows(found)) == (4 if after == HOUR + 9 * SECOND else 3)
    assert 'data-time="past"' in found
    assert "You are looking at the past" in found


def test_shows_the_readings_of_that_moment(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first + 12 * SECOND)
    assert 'id="now-cpu">22<span' in shown
    assert "4.0 of 16.0 GB" in shown


def test_nothing_of_it_is_live_and_nothing_can_be_done(as_operator: Client, web1: Server, first: datetime) -> None:
    tell(web1, timezone.now(), family(), services=[service()], allow=["restart:*", "signal:*"], features=["signals"])
    assert "data-act" in as_operator.get(PAGE).content.decode()
    shown = page(as_operator, first)
    assert re.findall(r'data-topic="([a-z-]+)', shown) == ["nav-incidents"]  # in the header, which is of now
    assert "data-act" not in shown
    assert "every 30s" not in shown
    assert re.search(r'href="/servers/srv-web-01/"[^>]*>\s*Back to live', shown)


def test_an_address_is_of_the_moment_in_any_form(as_viewer: Client, first: datetime) -> None:
    at = first + 10 * SECOND
    zoned = at.astimezone(timezone.get_fixed_timezone(120)).isoformat()
    for text in (at.isoformat(), zoned, at.strftime("%Y-%m-%dT%H:%M:%S"), str(int(at.timestamp()))):
        assert cpu(page(as_viewer, text)) == "20.0"


def test_what_is_sampled_between_milliseconds_is_found_by_its_link(as_viewer: Client, web1: Server) -> None:
    at = timezone.now().replace(microsecond=123_456) - HOUR
    tell(web1, at, family(70.0))
    tell(web1, at + 10 * SECOND, family(80.0))
    link = re.search(r'href="\?at=([^"&]+)[^"]*" data-travel data-step="previous"', page(as_viewer, at + MINUTE))
    assert link is not None
    assert cpu(page(as_viewer, link[1])) == "70.0"


def test_steps_to_the_samples_beside_and_keeps_range_and_order(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first + 10 * SECOND, "?range=6h&ps=mem")
    for step, at in (("previous", first), ("next", first + HOUR)):
        address = f"?at={moments.written(at)}&amp;range=6h&amp;ps=mem"
        assert f'href="{address}" data-travel data-step="{step}"' in shown
    assert "data-step=" in page(as_viewer, first)
    assert 'data-step="previous"' not in page(as_viewer, first)
    assert 'data-step="next"' not in page(as_viewer, first + HOUR + 10 * SECOND)


def test_sorts_without_a_script_and_stays_in_the_past(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first, "?ps=-pid")
    assert rows(shown)[0] == "41-950"
    assert f'href="?ps=pid&amp;at={quote(moments.written(first))}"' in shown


def test_a_process_began_as_long_before_the_moment_as_it_did(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first)
    days = (first - datetime.fromtimestamp(1_750_000_009, first.tzinfo)).days
    assert f'datetime="2025-06-15T15:06:49Z" data-then>{days} d</time>' in shown


def test_a_silent_servers_last_table_says_that_it_is_that(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first + 5 * MINUTE)
    assert "Silent at this moment" in shown
    assert re.search(
        r'this is its last table, from <time[^>]*>[\d:]+</time>, 4<span class="unit"> min</span> older', shown
    )
    assert cpu(shown) == "20.0"


def test_where_nothing_was_reported_the_nearest_are_named(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first + 40 * MINUTE)
    assert "No process table was reported at this moment." in shown
    assert "The last one before is from" in shown
    assert rows(shown) == []
    assert 'id="now-cpu"><span aria-hidden="true">—' in shown
    assert f'href="?at={moments.written(first + HOUR)}" data-travel data-step="next"' in shown


def test_a_moment_to_come_says_so(as_viewer: Client, first: datetime) -> None:
    for at in (timezone.now() + HOUR, "8999-12-31T23:59:59Z"):
        shown = page(as_viewer, at)
        assert "This moment is still to come." in shown
        assert "The newest one is from" in shown
        assert "You are looking at the past" not in shown


def test_a_moment_too_long_ago_says_how_long_they_are_kept(as_viewer: Client, first: datetime) -> None:
    for at in (timezone.now() - settings.KEPT["processes"] - HOUR, "1999-01-01T00:00:00Z"):
        shown = page(as_viewer, at)
        assert "Process tables are kept for 30 days: this moment is longer ago." in shown
        assert "The oldest one is from" in shown


def test_a_server_without_a_past_says_so(as_viewer: Client, web1: Server) -> None:
    assert "None of this server is kept." in page(as_viewer, timezone.now() - HOUR)


@pytest.mark.parametrize(
    "text",
    ["nonsense", "2026-13-01T00:00:00Z", "-1", "0", "9999999999999", "٣", "9999-12-31", "0001-01-01T00:00+14:00"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(moments.WrongMoment, match="at: expected a time such as 2026-01-31T12:00:00Z"):
        moments.read({"at": text}, "at")


@pytest.mark.parametrize(
    ("part", "name"),
    [("", "at"), ("", "with"), ("", "to"), ("then/", "at"), ("then/", "with"), ("processes/41-950/", "at")],
)
def test_a_wrong_moment_is_named(as_viewer: Client, web1: Server, part: str, name: str) -> None:
    answer = as_viewer.get(f"{PAGE}{part}", {"at": "2026-01-31T12:00:00Z", name: "<nonsense>"})
    assert answer.status_code == 400
    assert f"<code>{name}</code> is “&lt;nonsense&gt;”" in answer.content.decode()


def test_an_empty_moment_is_now(as_viewer: Client, first: datetime) -> None:
    assert 'data-time="past"' not in page(as_viewer, "")
    assert as_viewer.get(f"{PAGE}then/").status_code == 400


@pytest.mark.parametrize("part", ["", "then/", "processes/41-950/"])
def test_only_those_who_see_the_server_see_its_past(
    as_outsider: Client, client: Client, first: datetime, part: str
) -> None:
    asked = {"at": moments.written(first)}
    assert as_outsider.get(f"{PAGE}{part}", asked).status_code == 404
    assert client.get(f"{PAGE}{part}", asked)["Location"].startswith("/login/?next=")


def test_services_are_told_from_what_happened(as_viewer: Client, web1: Server, first: datetime) -> None:
    quiet = service("cron.service", since=(first - HOUR).isoformat())
    tell(web1, first + 2 * HOUR, family(), services=[service("nginx.service", mainPid=7), quiet])
    failed = service("nginx.service", activeState="failed", mainPid=0, since=(first + 2 * HOUR + MINUTE).isoformat())
    tell(web1, first + 2 * HOUR + 2 * MINUTE, family(), services=[failed | {"result": "exit-code"}, quiet])
    shown = page(as_viewer, first + 2 * HOUR + 30 * SECOND)
    table = shown[shown.index('id="services-panel"') :]
    assert re.search(r'title="nginx.service.*?data-state="active".*?<td class="num p3">7</td>', table, re.DOTALL)
    later = page(as_viewer, first + 2 * HOUR + 3 * MINUTE)
    assert re.search(r'<tr data-state="failed"><th scope="row"><bdi title="nginx.service', later)


# What is another one at another moment


def test_the_parts_that_move_come_alone(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first, "then/")
    assert shown.startswith('<template><tbody id="procs"><tr id="proc-')
    for part in ("asof", "live", "srv-status", "proc-h", "now-cpu", "services-panel", "compared", "commands"):
        assert shown.count(f'id="{part}"') == 1
    assert 'id="lanes"' not in shown
    assert 'id="lanes"' in page(as_viewer, first, "then/?lanes=1")


def test_the_timeline_ends_where_it_is_told_as_long_as_the_moment_is_on_it(as_viewer: Client, first: datetime) -> None:
    def end(shown: str) -> int:
        return int(re.findall(r'id="scrub".* max="(\d+)"', shown)[0])

    at = first + 10 * SECOND
    wanted = first + 20 * MINUTE
    assert end(page(as_viewer, at, f"?to={int(wanted.timestamp())}")) == int(wanted.timestamp())
    away = int((first + 2 * HOUR).timestamp())
    assert end(page(as_viewer, at, f"?to={away}")) == int((at + 30 * MINUTE).timestamp())
    assert abs(end(page(as_viewer, at, "?range=24h")) - timezone.now().timestamp()) < 60


def test_what_an_agent_sent_then_stays_text(as_viewer: Client, web1: Server) -> None:
    at, name = timezone.now() - MINUTE, "<img src=x onerror=alert(1)>"
    tell(web1, at, [proc(5, name=name, cmdline=name, user=name, status=name)])
    for part in ("", "then/", "processes/5-99/"):
        assert "<img" not in page(as_viewer, at + SECOND, part)


def test_costs_few_queries_however_much_there_is(
    as_viewer: Client, web1: Server, first: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many = [service(f"unit-{number}.service") for number in range(40)]
    tell(web1, first + 2 * HOUR, [proc(number) for number in range(1, 501)], services=many)
    page(as_viewer, first)
    # session, user, role · scope and incidents not taken, for the header
    # server · newest report · the table and the samples beside: raw rows and times, chunk
    # readings then, the timeline's · the lanes: commands, what happened
    # services, what happened to them, a boot since · commands up to then · what had happened · the hub's absence then
    # the states' lane: changes, the hub's absences, what came later · incidents, in their lane and their list
    with django_assert_num_queries(25):
        page(as_viewer, first)
    with django_assert_num_queries(16):
        page(as_viewer, first, "then/")
