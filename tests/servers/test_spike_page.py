"""The page that explains a stretch, and its API: to whom, what they say, and what they say where they cannot."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from actions import states
from servers import moments, service_history
from servers.history import HOUR
from servers.models import Server
from servers.service_events import Event
from tests.actions.making import command
from tests.servers.samples import proc, store
from tests.servers.spiking import API, LENGTH, PAGE, STEP, spike
from tests.servers.travelling import MINUTE, SECOND, compact, tell, this_hour

pytestmark = pytest.mark.django_db


@pytest.fixture
def start(web1: Server) -> datetime:
    """When web1's rise begins; half of what is before it is compacted."""
    at = this_hour() - HOUR + MINUTE
    spike(web1, at)
    compact(web1, this_hour() - 2 * HOUR)
    return at


def an_hour_ago() -> datetime:
    return timezone.now().replace(microsecond=0) - HOUR


def address(start: datetime, length: timedelta = LENGTH, **more: str) -> dict[str, str]:
    return {"from": moments.written(start), "to": moments.written(start + length), **more}


def shown(client: Client, start: datetime, length: timedelta = LENGTH, **more: str) -> str:
    answer = client.get(PAGE, address(start, length, **more))
    assert answer.status_code == 200
    assert "&lt;span" not in answer.content.decode()
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def told(client: Client, start: datetime, length: timedelta = LENGTH, **more: str) -> dict[str, Any]:
    answer = client.get(API, address(start, length, **more))
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_says_in_one_sentence_what_accounts_for_the_rise(as_viewer: Client, start: datetime) -> None:
    said = shown(as_viewer, start)
    assert "php-fpm (6 processes) accounts for 86% of the rise: 10% → 250% of one core." in said
    assert "The server rose from 5.0% to 40%; its processes explain 84% of that." in said
    assert "The rest is not seen in samples: processes too short-lived, or the kernel." in said
    assert "Averages of 12 samples, and of 12 before." in said


def test_the_table_opens_to_the_processes_of_a_group(as_viewer: Client, start: datetime) -> None:
    assert "4 new" in shown(as_viewer, start)
    assert "php-fpm 40" not in shown(as_viewer, start)
    opened = shown(as_viewer, start, open="php-fpm")
    assert f"started {start - 4 * SECOND:%H:%M:%S}" in opened
    assert re.findall(r"php-fpm (\d\d) ", opened) == ["31", "32", "40", "41", "42", "43"]


def test_memory_is_explained_too(as_viewer: Client, start: datetime) -> None:
    said = shown(as_viewer, start, metric="mem")
    assert "Memory did not rise: 4,096 MB before, 4,096 MB in this stretch." in said  # the server told the same
    assert "+1,400" in said


def test_what_did_not_rise_says_so_with_its_numbers(as_viewer: Client, start: datetime) -> None:
    said = shown(as_viewer, start + MINUTE, MINUTE)
    assert "CPU did not rise: 40% before, 40% in this stretch." in said


def test_links_lead_to_the_peak_and_to_processes_at_it(as_viewer: Client, start: datetime) -> None:
    page = as_viewer.get(PAGE, address(start, open="php-fpm")).content.decode()
    peak = moments.written(start + 7 * STEP)
    assert f'href="/servers/srv-web-01/?at={peak}"' in page
    assert f'href="/servers/srv-web-01/processes/31-1031/?at={peak}"' in page
    cron = re.search(r"/processes/60-60/\?at=([^\"]+)", page)
    assert cron
    assert moments.read({"at": cron[1]}, "at") == start - STEP
    assert as_viewer.get(f"/servers/srv-web-01/processes/60-60/?at={cron[1]}").status_code == 200


def test_without_samples_before_it_says_so_and_what_used_most(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    spike(web1, at, before=False)
    said = shown(as_viewer, at)
    assert "Nothing is known of the stretch before. php-fpm (6 processes) used most in this: 250% of one core." in said
    assert "new" not in said.split("Came and went")[1].split("Averages")[0]


def test_a_stretch_without_samples_says_so(as_viewer: Client, start: datetime) -> None:
    said = shown(as_viewer, start + 10 * MINUTE, MINUTE)
    assert "No process table was reported in this stretch." in said
    assert "No process is known of this time." in said


def test_a_server_that_never_reported_has_nothing_to_explain(as_viewer: Client, web1: Server) -> None:
    assert "No process table was reported" in shown(as_viewer, timezone.now() - HOUR, MINUTE)


def test_what_an_agent_left_out_is_said(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in range(4):
        tell(web1, at + number * STEP, [proc(1, cpu=10.0 * number)], cpu=5 * number, procsTotal=700)
    said = shown(as_viewer, at + 2 * STEP, 2 * STEP)
    assert "4 samples tell only the busiest of up to 700 processes; the rest counts as nothing." in said


def test_what_was_seen_too_briefly_is_said(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in range(4):
        brief = [proc(100 + number, cpu=None, name="gcc")] if number > 1 else []
        tell(web1, at + number * STEP, [proc(1, cpu=10.0), *brief], cpu=5 if number < 2 else 50)
    said = shown(as_viewer, at + 2 * STEP, 2 * STEP)
    assert "2 processes were seen too briefly for their values to be known." in said
    assert "It rose, but no process in the samples used more than before." in said
    assert "its processes explain 0% of that" in said


def test_a_server_that_tells_no_cores_is_explained_by_its_processes(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in range(4):
        store(web1, at + number * STEP, [proc(1, cpu=10.0 if number < 2 else 60.0)])
    said = shown(as_viewer, at + 2 * STEP, 2 * STEP)
    assert "nginx accounts for 100% of the rise: 10% → 60% of one core." in said
    assert "The server's own reading is not known here: shares are of what its processes added." in said


def test_a_gap_makes_it_uneven_and_that_is_said(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in (0, 6, 7, 8, 9, 10, 11):
        tell(web1, at + number * STEP, [proc(1, cpu=10.0)])
    assert "not equally well known: 6 samples against 1 before" in shown(as_viewer, at + MINUTE, MINUTE)


def test_after_a_boot_processes_are_others(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in range(4):
        tell(web1, at + number * STEP, [proc(1, name="systemd", cpu=1.0 if number < 2 else 40.0, start_ticks=5)])
    service_history.record(web1.pk, [Event("", at + 2 * STEP, "booted", {})])
    said = shown(as_viewer, at + 2 * STEP, 2 * STEP, open="systemd")
    assert "The server was booted in this time" in said
    assert "The server was booted" in said.split("What fell into it")[1]
    groups = told(as_viewer, at + 2 * STEP, 2 * STEP)["groups"]
    assert [(one["new"], one["gone"], len(one["processes"])) for one in groups] == [(1, 1, 2)]


def test_commands_and_what_services_did_are_told_with_their_clock(
    as_viewer: Client, web1: Server, start: datetime
) -> None:
    begun = {"created_at": start + SECOND, "started_at": start + 2 * SECOND}
    asked = command(web1, states.SUCCEEDED, **begun, ended_at=start + 5 * SECOND)
    long_ago = dict.fromkeys(("created_at", "started_at", "ended_at"), start - HOUR)
    command(web1, states.SUCCEEDED, **long_ago, target="old")
    events = [
        Event("nginx.service", start + 3 * SECOND, "restarted", {"pidBefore": 1, "pidNow": 2}),  # the command's
        Event("redis.service", start + 9 * SECOND, "crashed", {"lastExit": "SIGSEGV"}),
        Event("late.service", start + LENGTH, "stopped", {}),
        Event("early.service", start - SECOND, "stopped", {}),
    ]
    service_history.record(web1.pk, events)
    said = shown(as_viewer, start).split("What fell into it")[1]
    assert (
        said.index("nginx") < said.index(f"{start + SECOND:%H:%M:%S}") < said.index("redis.service crashed (SIGSEGV)")
    )
    assert not re.search(r"late\.service|early\.service|\bold\b|was restarted", said)
    happened = told(as_viewer, start)["happened"]
    assert [(one["kind"], one["target"], one["what"], one["state"], one["command"]) for one in happened] == [
        ("command", asked.target, "restart", "succeeded", str(asked.uuid)),
        ("event", "redis.service", "crashed", "failed", None),
    ]


def test_names_are_escaped(as_viewer: Client, web1: Server) -> None:
    at = an_hour_ago()
    for number in range(2):
        tell(web1, at + number * STEP, [proc(1, name="<b>x", cmdline='"><i>', cpu=90.0 * number)], cpu=5 + 10 * number)
    page = as_viewer.get(PAGE, address(at + STEP, STEP)).content.decode()
    assert "&lt;b&gt;x rose by more than the server as a whole: 0.0% → 90% of one core." in page
    assert "<b>x" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "0"}, "to"),
        ({"from": "2999-01-01T00:00:00Z"}, "from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00Z"}, "from"),
        ({"metric": "disk"}, "metric"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_explained(
    as_viewer: Client, start: datetime, query: dict[str, str], field: str
) -> None:
    answer = as_viewer.get(PAGE, query)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert re.search(rf'name="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-e"', page)
    assert f'id="{field}-e"' in page
    assert "What processes added" not in page
    refused = as_viewer.get(API, query)
    assert refused.status_code == 400
    assert field in refused.json()["fields"]


@pytest.mark.parametrize(("length", "said"), [(-MINUTE, "not after the start"), (25 * HOUR, "At most 24 hours")])
def test_a_stretch_is_neither_backwards_nor_longer_than_a_day(
    as_viewer: Client, start: datetime, length: timedelta, said: str
) -> None:
    for path in (PAGE, API):
        answer = as_viewer.get(path, address(start - 30 * HOUR, length))
        assert answer.status_code == 400
        assert said in answer.content.decode()


def test_of_a_stretch_that_ends_in_the_future_what_there_is_is_explained(as_viewer: Client, web1: Server) -> None:
    at = timezone.now() - MINUTE
    spike(web1, at - MINUTE)
    found = told(as_viewer, at - MINUTE, 2 * HOUR)
    assert datetime.fromisoformat(found["to"]) <= timezone.now()


def test_without_an_address_it_is_the_last_hour_or_the_timelines_range(as_viewer: Client, web1: Server) -> None:
    spike(web1, timezone.now() - LENGTH)
    for query, seconds in (("", 3600), ("?range=15m", 900), ("?range=24h", 86_400)):
        page = as_viewer.get(f"{PAGE}{query}").content.decode()
        first, last = (moments.read({"at": text}, "at") for text in re.findall(r'data-moment="([^"]+)"', page))
        assert first
        assert last
        assert (last - first).total_seconds() == seconds
    assert "At most 24 hours" in as_viewer.get(f"{PAGE}?range=7d").content.decode()


def test_the_server_page_leads_to_it(as_viewer: Client, web1: Server, start: datetime) -> None:
    page = "/servers/srv-web-01/"
    assert f'id="explain" href="{PAGE}?range=6h"' in as_viewer.get(f"{page}?range=6h").content.decode()
    assert 'href="/servers/srv-web-01/explain' not in as_viewer.get(f"{page}?range=7d").content.decode()
    then = as_viewer.get(f"{page}?at={moments.written(start)}&range=15m").content.decode()
    link = re.search(r'id="explain" href="([^"]+)"', then)
    assert link
    assert "php-fpm" in as_viewer.get(unescape(link[1])).content.decode()
    moved = as_viewer.get(f"{page}then/?at={moments.written(start)}&lanes=1").content.decode()
    assert 'id="explain" href="' in moved


def test_out_of_scope_there_is_no_such_server(as_outsider: Client, client: Client, start: datetime) -> None:
    for path in (PAGE, API):
        assert as_outsider.get(path, address(start)).status_code == 404
    assert client.get(PAGE, address(start)).status_code == 302


def test_the_api_tells_the_same(as_viewer: Client, start: datetime) -> None:
    found = told(as_viewer, start)
    assert found["sentence"] in shown(as_viewer, start)
    assert (found["metric"], found["unit"], found["rose"]) == ("cpu", "percent of one core", True)
    assert found["server"] == {"before": 40.0, "now": pytest.approx(320 + 8 / 12)}
    assert found["samples"] == {"before": 12, "now": 12}
    assert datetime.fromisoformat(found["peak"]) == start + 7 * STEP
    php, cron = found["groups"]
    assert {name: php[name] for name in ("name", "count", "before", "now", "change", "new", "gone")} == {
        "name": "php-fpm", "count": 6, "before": 10.0, "now": 250.0, "change": 240.0, "new": 4, "gone": 0,
    }  # fmt: skip
    assert (cron["name"], cron["change"], cron["gone"]) == ("cron", -4.0, 1)
    assert found["explained"] == pytest.approx(100 * 236 / (280 + 8 / 12))
    assert [one["pid"] for one in php["processes"]] == [40, 41, 42, 43, 31, 32] or php["processes"][0]["change"] == 45.0


def test_takes_few_queries(
    as_viewer: Client, start: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # session, user, role, server; newest; readings twice, peak, boots, tables; commands, events, incidents
    # scope and incidents not taken, for the header
    with django_assert_num_queries(14):
        as_viewer.get(PAGE, address(start))
