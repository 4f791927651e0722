"""The server page: what it shows to whom, what it costs, and that what agents send stays text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from pytest_django import DjangoAssertNumQueries

from pmonitor.live import View
from servers import ingest, process_live, process_rows, proctable, ranges, readings, server_live, server_page, states
from servers.models import Newest, Server
from servers.wire import Proc, Report
from tests.servers.reports import proc, report, service

pytestmark = pytest.mark.django_db
PAGE = "/servers/srv-web-01/"
VIEW = View("en", "viewer")
FACTS = {
    "bootTime": 1_700_000_000,
    "ticksPerSec": 100,
    "cpuCount": 8,
    "os": "Debian GNU/Linux 13.2",
    "version": "1.4.2",
}
HOSTILE = ["<img src=x onerror=alert(1)>", "\u202exe.gpj", "مرحبا", "🐘", "two\nlines\tand\x1b[31m", '" onclick="x']


def store(server: Server, at: datetime | None = None, **facts: Any) -> None:
    """Store a report received then, or now."""
    received = at or timezone.now()
    body = report(ts=received.timestamp(), **FACTS, **facts)
    ingest.store(server, msgspec.convert(body, Report), received, "192.0.2.47")


def page(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def update(server: Server, before: Any = None) -> tuple[Any, list[str]]:
    return server_live.update(str(server.pk), VIEW, before)


def test_shows_the_machine_its_readings_and_its_processes(as_viewer: Client, web1: Server) -> None:
    store(web1, procs=[proc(startTicks=4711, user="redis", cmdline="/usr/bin/redis-server *:6379")], procsTotal=1873)
    shown = page(as_viewer)
    assert 'id="proc-123-4711"' in shown
    assert '<span id="c-123-4711">1.2</span>' in shown
    assert "/usr/bin/redis-server *:6379" in shown
    assert "Debian GNU/Linux 13.2" in shown
    assert '<span class="live-value" id="now-cpu">9<span class="unit">%</span></span>' in shown
    assert "2.0 of 8.0 GB" in shown
    assert "1 of 1,873 shown." in shown


def test_a_process_that_started_is_dated_by_boot_and_ticks(as_viewer: Client, web1: Server) -> None:
    store(web1, procs=[proc(startTicks=4711)])
    assert 'datetime="2023-11-14T22:14:07Z"' in page(as_viewer)


def test_a_server_that_has_not_reported_yet_says_so(as_viewer: Client, web1: Server) -> None:
    shown = page(as_viewer)
    assert "No report has come from this server yet." in shown
    assert "Waiting" in shown


def test_a_silent_server_keeps_its_table_and_shows_no_reading(as_viewer: Client, web1: Server) -> None:
    store(web1, datetime(2026, 11, 22, 14, 5, 52, tzinfo=UTC))
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    shown = page(as_viewer)
    assert "The server is silent: last values, from" in shown
    assert "14:05:52" in shown
    assert 'id="proc-123-0"' in shown
    assert re.search(r'id="now-cpu"><span aria-hidden="true">—', shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_agent_sends_stays_text(as_viewer: Client, web1: Server, name: str) -> None:
    store(web1, procs=[proc(name=name, user=name, cmdline=name, status=name[:40])])
    shown = page(as_viewer)
    table = shown[shown.index('<tbody id="procs">') : shown.index("</tbody>")]
    assert "<img" not in table
    assert "onclick" not in re.sub(r'title="[^"]*"', "", table).replace("&quot; onclick=&quot;x", "")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\n\t\x1b]", table)


def test_a_name_is_isolated_from_the_text_around_it(as_viewer: Client, web1: Server) -> None:
    store(web1, procs=[proc(name="مرحبا")])
    assert re.search(r'<bdi class="clip" title="مرحبا"><a href="[^"]*">مرحبا</a></bdi>', page(as_viewer))


def test_a_first_sample_without_cpu_is_a_dash_not_zero(as_viewer: Client, web1: Server) -> None:
    store(web1, procs=[proc(cpu=None)])
    assert '<span class="muted" id="c-123-0">—</span>' in page(as_viewer)


@pytest.mark.parametrize(
    ("wanted", "first"),
    [("", "1"), ("?ps=cpu", "1"), ("?ps=-cpu", "2"), ("?ps=mem", "2"), ("?ps=name", "3"), ("?ps=nonsense", "1")],
)
def test_sorts_without_a_script(as_viewer: Client, web1: Server, wanted: str, first: str) -> None:
    store(
        web1,
        procs=[
            proc(3, name="a", cpu=5, memMB=5),
            proc(1, name="b", cpu=9, memMB=1),
            proc(2, name="c", cpu=1, memMB=9),
        ],
    )
    assert re.findall(r'<tr id="proc-(\d+)-', page(as_viewer, PAGE + wanted))[0] == first


def test_numbers_are_in_the_readers_language(web1: Server) -> None:
    with translation.override("ro"):
        assert process_rows.cells(Proc("x", 1, 1234.5, 2048.0, "running"), "ro")[:2] == ("1.234,5", "2.048")


def test_another_scopes_server_is_not_found(as_outsider: Client, web1: Server) -> None:
    assert as_outsider.get(PAGE).status_code == 404
    assert as_outsider.get(f"{PAGE}readings/").status_code == 404


@pytest.mark.parametrize("address", ["/servers/srv%00/", "/servers/srv%00/readings/"])
def test_nul_in_an_address_is_not_found(as_viewer: Client, address: str) -> None:
    assert as_viewer.get(address).status_code == 404


@pytest.mark.parametrize("ticks", [10**13, 2**63 - 1])
def test_a_start_past_the_calendar_is_not_shown(as_viewer: Client, web1: Server, ticks: int) -> None:
    store(web1, procs=[proc(startTicks=ticks)])
    assert f'id="proc-123-{ticks}"' in page(as_viewer)


def test_one_signed_out_is_sent_to_the_login(client: Client, web1: Server) -> None:
    assert client.get(PAGE)["Location"].startswith("/login/?next=")


def test_costs_few_queries_however_much_there_is(
    as_viewer: Client, web1: Server, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many = [service(f"unit-{number}.service") for number in range(40)]
    store(web1, procs=[proc(number) for number in range(1, 501)], services=many)
    page(as_viewer)
    # session, user, role · scope and incidents not taken, for the header
    # server · newest report · readings · services, commands at work, what waits · commands
    # stops for a time · what happened, in the list and in its lane · the commands' lane
    # states in the lane and in the figure: changes, the hub's absences, what came later, each twice
    # incidents, in their lane and their list
    with django_assert_num_queries(24):
        page(as_viewer)


# The timeline


def test_missing_readings_are_a_gap_and_not_a_line(web1: Server) -> None:
    now = timezone.now().replace(microsecond=0)
    for seconds in [*range(600, 400, -10), *range(200, 0, -10)]:
        store(web1, now - timedelta(seconds=seconds))
    newest = Newest.objects.get(server=web1)
    shown = readings.context(newest, web1.pk, readings.now_values(newest, False), ranges.asked({"range": "15m"}))
    assert len(shown["gaps"]) == 1
    assert 15 < float(shown["gaps"][0]["width"]) < 30
    cpu = next(lane for lane in shown["lanes"] if lane.id == "cpu")
    assert cpu.drawing.count("M") == 2


def test_the_lanes_come_alone_for_the_page_to_refresh(as_viewer: Client, web1: Server) -> None:
    store(web1)
    shown = page(as_viewer, f"{PAGE}readings/?range=15m")
    assert shown.startswith('<div class="lanes" id="lanes"')
    assert "every 10s" in shown


@pytest.mark.parametrize(("length", "with_day"), [("24h", False), ("7d", True)])
def test_moments_of_a_stretch_of_days_are_told_with_their_day(web1: Server, length: str, with_day: bool) -> None:
    now = timezone.now().replace(microsecond=0)
    store(web1, now - timedelta(seconds=30))
    newest = Newest.objects.get(server=web1)
    heads = {**readings.now_values(newest, False), "say-cpu": SafeString("")}
    shown = readings.context(newest, web1.pk, heads, ranges.asked({"range": length}))
    peak = str(next(lane for lane in shown["lanes"] if lane.id == "cpu").note)
    assert ('data-at="short"' in peak, bool(re.search(r">\d+ \w+, \d\d:\d\d<", peak))) == (with_day, with_day)
    assert re.search(r"to \d{4}-\d\d-\d\d \d\d:\d\d UTC", shown["lane_states"]["label"])


@pytest.mark.parametrize("metric", ["cpu", "mem", "load", "disk", "net"])
def test_an_agent_that_reads_less_leaves_lanes_empty(as_viewer: Client, web1: Server, metric: str) -> None:
    store(web1, load={})
    assert f'id="now-{metric}"><span aria-hidden="true">—' in page(as_viewer)


# What an open page is sent


def test_an_update_sends_only_what_moved(web1: Server) -> None:
    procs = [proc(number, startTicks=number) for number in range(1, 101)]
    store(web1, timezone.now() - timedelta(seconds=10), procs=procs)
    shown, _whole = update(web1)
    procs[4]["cpu"] = 55.5
    procs[7]["memMB"] = 99
    procs[9]["status"] = "sleeping"
    store(web1, procs=procs)
    _shown, messages = update(web1, shown)
    assert messages[1:] == [
        '<span id="c-5-5">55.5</span><span id="m-8-8">99</span><span class="muted" id="s-10-10">sleeping</span>'
    ]
    assert 'id="srv-seen"' in messages[0]
    assert 'id="srv-version"' in messages[0]
    assert 'id="proc-count"' not in messages[0]


def test_rows_come_go_and_are_replaced_in_messages_of_one_kind(web1: Server) -> None:
    procs = [proc(number, startTicks=number) for number in range(1, 11)]
    store(web1, procs=procs)
    shown, _whole = update(web1)
    procs[0] = proc(1, startTicks=99)  # the number was used again
    procs[1]["cmdline"] = "another"
    store(web1, procs=procs)
    _shown, (_small, replaced, added, gone) = update(web1, shown)
    assert re.findall(r'<tr id="([^"]+)"', replaced) == ["proc-2-2"]
    assert re.match(r'<tbody hx-swap-oob="beforeend:#procs"><tr id="proc-1-99"', added)
    assert gone == '<tr id="proc-1-1" hx-swap-oob="delete"></tr>'


def test_after_a_reboot_the_whole_table_is_sent(web1: Server) -> None:
    store(web1, procs=[proc(number, startTicks=number) for number in range(1, 11)])
    shown, _whole = update(web1)
    store(web1, procs=[proc(number, startTicks=number + 500) for number in range(1, 11)])
    _shown, messages = update(web1, shown)
    assert len(messages) == 2
    assert messages[1].startswith('<tbody id="procs">')


def test_a_page_of_the_newest_version_is_told_nothing_new(as_viewer: Client, web1: Server) -> None:
    store(web1)
    version = re.search(r'data-topic="server:\d+" data-version="([^"]+)"', page(as_viewer))
    assert version is not None
    assert update(web1)[0].version == version[1]


def test_nothing_is_sent_when_nothing_moved(web1: Server) -> None:
    store(web1)
    shown, _whole = update(web1)
    assert update(web1, shown)[1] == []


def test_a_usual_update_of_500_processes_stays_small(web1: Server) -> None:
    procs = [proc(number, startTicks=number * 1000, cpu=number / 10) for number in range(1000, 1500)]
    before = process_live.shown(msgspec.convert(procs, list[Proc]))
    for changed in procs[:80]:
        changed["cpu"] += 1
    now = msgspec.convert(procs, list[Proc])
    messages = process_live.changes(before, process_live.shown(now), now, process_rows.frame({}, None))
    assert len(messages) == 1
    assert len(messages[0].encode()) < 6_000


def test_two_processes_of_one_number_are_one_row(as_viewer: Client, web1: Server) -> None:
    store(web1, procs=[proc(7, name="first"), proc(7, name="second")])
    assert page(as_viewer).count('id="proc-7-0"') == 1


def test_only_those_who_see_the_server_may_watch_it(viewer: Any, outsider: Any, web1: Server) -> None:
    assert server_live.may_watch(viewer, {str(web1.pk), "1; drop"}) == {str(web1.pk)}
    assert server_live.may_watch(outsider, {str(web1.pk)}) == set()


def test_a_table_of_a_process_is_read_as_it_was_packed() -> None:
    packed = proctable.pack([Proc("x", 1, None, 2.0, "running")])
    assert server_page.processes(Newest(procs=packed)) == [Proc("x", 1, None, 2.0, "running")]
