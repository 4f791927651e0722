"""Which stretch of time the timeline shows: addresses, the ways on from it, and what is refused."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from django.test import Client
from django.utils import timezone

from servers import moments, ranges
from servers.models import Server
from servers.moments import written
from tests.servers.travelling import MINUTE, PAGE, SECOND, family, page, tell, this_hour

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THEN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("name", ranges.RANGES)
def test_a_choice_ends_now_and_its_ruler_has_a_few_marks(name: str) -> None:
    window = ranges.asked({"range": name})
    assert window.live
    assert abs(window.end - timezone.now()) < MINUTE
    assert window.length.total_seconds() == ranges.RANGES[name].seconds
    assert 4 <= len(ranges.marks(window)) <= ranges.MOST_MARKS + 1
    assert window.address == f"range={name}"


def test_from_fifteen_minutes_to_two_years() -> None:
    lengths = [choice.seconds for choice in ranges.RANGES.values()]
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (15 * 60, 730 * 86_400)


def test_what_is_no_choice_is_the_usual_one() -> None:
    assert ranges.asked({"range": "nonsense"}).choice == ranges.DEFAULT == ranges.asked({}).choice


def test_a_stretch_of_ones_own() -> None:
    window = ranges.asked({"from": written(THEN), "to": written(THEN + HOUR), "range": "7d"})
    assert (window.start, window.end, window.choice, window.live) == (THEN, THEN + HOUR, None, False)
    assert window.address == "from=2026-01-31T12:00:00Z&to=2026-01-31T13:00:00Z"
    assert ranges.asked({name: text[0] for name, text in parse_qs(window.address).items()}) == window


def test_one_without_an_end_or_with_one_to_come_goes_on() -> None:
    start = timezone.now().replace(microsecond=0) - HOUR
    for asked in ({}, {"to": written(timezone.now() + DAY)}):
        window = ranges.asked({"from": written(start), **asked})
        assert window.live
        assert window.start == start
        assert window.address == f"from={written(start)}"


def test_a_choice_may_end_in_the_past() -> None:
    window = ranges.asked({"range": "6h", "to": written(THEN)})
    assert (window.start, window.end, window.live) == (THEN - 6 * HOUR, THEN, False)
    assert window.address == f"range=6h&to={written(THEN)}"


def test_the_shortest_is_a_minute() -> None:
    window = ranges.asked({"from": written(THEN), "to": written(THEN + SECOND)})
    assert (window.end, window.length) == (THEN + SECOND, MINUTE)


def told(window: ranges.Window) -> dict[str, tuple[str | None, str | None]]:
    return {way["name"]: (way["from"], way["to"]) for way in ranges.ways(window)}


def test_the_ways_on_from_a_stretch_of_the_past() -> None:
    ways = told(ranges.asked({"from": written(THEN), "to": written(THEN + 2 * HOUR)}))
    assert ways == {
        "earlier": (written(THEN - HOUR), written(THEN + HOUR)),
        "out": (written(THEN - HOUR), written(THEN + 3 * HOUR)),
        "in": (written(THEN + HOUR / 2), written(THEN + 1.5 * HOUR)),
        "later": (written(THEN + HOUR), written(THEN + 3 * HOUR)),
    }


def test_the_ways_on_from_now_stay_live_where_they_can() -> None:
    window = ranges.asked({"range": "1h"})
    ways = told(window)
    assert ways["earlier"] == (written(window.start - HOUR / 2), written(window.end - HOUR / 2))
    assert ways["out"] == (written(window.end - 2 * HOUR), None)
    assert ways["in"] == (written(window.end - HOUR / 2), None)
    assert ways["later"] == (None, None)


def test_there_is_an_end_to_every_way() -> None:
    assert told(ranges.asked({"from": written(THEN), "to": written(THEN + MINUTE)}))["in"] == (None, None)
    longest = {"from": written(timezone.now() - ranges.WHOLE + MINUTE)}
    assert told(ranges.asked(longest))["out"][0] == written(ranges.asked({}).end - ranges.WHOLE)
    assert told(ranges.asked({"range": "2y"}))["out"] == (None, None)
    first = ranges.asked({"from": written(moments.EARLIEST), "to": written(moments.EARLIEST + HOUR)})
    assert told(first)["earlier"] == (None, None)


def test_a_moment_takes_a_stretch_that_it_is_not_on_along() -> None:
    asked = {"from": written(THEN), "to": written(THEN + 2 * HOUR), "ps": "mem"}
    assert ranges.kept(asked, THEN + HOUR) == {"from": asked["from"], "to": asked["to"]}
    assert ranges.kept(asked, THEN + 5 * HOUR) == {"from": written(THEN + 4 * HOUR), "to": written(THEN + 6 * HOUR)}
    assert ranges.kept({"range": "6h", "to": "1"}, THEN) == {"range": "6h", "to": "1"}


@pytest.mark.parametrize(
    ("asked", "name", "says"),
    [
        ({"from": "<b>"}, "from", "Expected is a time such as"),
        ({"from": "1700000000", "to": "<b>"}, "to", "Expected is a time such as"),
        ({"from": "1700000000", "to": "1700000000"}, "from", "before the end"),
        ({"from": "1700000060", "to": "1700000000"}, "from", "before the end"),
        ({"from": "8000-01-01"}, "from", "before the end"),
        ({"from": "2020-01-01"}, "from", "At most two years"),
    ],
)
@pytest.mark.parametrize("part", ["", "readings/", "readings.csv", "readings.svg", "?at=1700000000"])
@pytest.mark.django_db
def test_what_is_no_stretch_is_named(
    as_viewer: Client, web1: Server, part: str, asked: dict[str, str], name: str, says: str
) -> None:
    answer = as_viewer.get(f"{PAGE}{part}", asked if "?" not in part else {"at": "1700000000", **asked})
    shown = answer.content.decode()
    assert answer.status_code == 400
    assert f"<code>{name}</code> is “{html.escape(asked[name])}”" in shown
    assert says in shown


@pytest.mark.django_db
def test_only_a_stretch_that_ends_now_refreshes_itself(as_viewer: Client, web1: Server) -> None:
    tell(web1, timezone.now(), family())
    start = written(this_hour() - 2 * HOUR)
    for asked, refreshes in (("", True), ("?range=2y", True), (f"?from={start}", True),
                             (f"?from={start}&to={written(this_hour() - HOUR)}", False)):  # fmt: skip
        shown = as_viewer.get(PAGE + asked).content.decode()
        assert ('hx-get="/servers/srv-web-01/readings/' in shown) is refreshes
        assert ('id="head" class="head" visibility="hidden"' in shown) is not refreshes
        assert ('aria-current="true">1 h</a>' in shown) is (asked == "")


@pytest.mark.django_db
def test_the_past_keeps_a_stretch_of_ones_own(as_viewer: Client, web1: Server) -> None:
    hour = this_hour() - 3 * HOUR
    for minute in (0, 10, 20):
        tell(web1, hour + minute * MINUTE, family())
    stretch = f"from={written(hour)}&to={written(hour + 15 * MINUTE)}"
    shown = page(as_viewer, hour + 10 * MINUTE, f"?{stretch}")
    assert f'data-window="{html.escape(stretch)}"' in shown
    assert 'x="66.67%"' in shown
    steps = re.findall(r'href="([^"]+)" data-travel data-step="(\w+)"', shown)
    links = {step: html.unescape(link) for link, step in steps}
    assert links["previous"] == f"?at={written(hour)}&{stretch}"
    after = f"from={written(hour + 12 * MINUTE + 30 * SECOND)}&to={written(hour + 27 * MINUTE + 30 * SECOND)}"
    assert links["next"] == f"?at={written(hour + 20 * MINUTE)}&{after}"
    away = page(as_viewer, hour + 20 * MINUTE, f"?{stretch}")
    assert 'id="head" class="head" visibility="hidden"' in away


@pytest.mark.django_db
def test_the_lanes_of_another_moment_come_with_their_ways(as_viewer: Client, web1: Server) -> None:
    hour = this_hour() - 3 * HOUR
    tell(web1, hour, family())
    shown = page(as_viewer, hour, f"then/?lanes=1&from={written(hour)}&to={written(hour + HOUR)}")
    assert shown.count('id="range"') == shown.count('id="lanes"') == 1
    assert "lanes=1" not in shown
    assert 'id="range"' not in page(as_viewer, hour, "then/")


@pytest.mark.django_db
def test_a_refreshed_timeline_brings_its_ways_along(as_viewer: Client, web1: Server) -> None:
    shown = as_viewer.get(f"{PAGE}readings/?range=15m&ps=mem").content.decode()
    assert shown.startswith('<div class="lanes" id="lanes" hx-get="/servers/srv-web-01/readings/?range=15m&amp;ps=mem"')
    assert '<div class="filters" id="range" hx-swap-oob="true">' in shown
    assert 'aria-current="true">15 min</a>' in shown
