"""What the timeline draws and tells: bands, gaps, parts of CPU, its values, and its table and picture to take away."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from servers import history, ingest, partitions, readings, rollup, server_page
from servers.history import HOUR
from servers.lanes import Lane
from servers.models import Newest, Server
from servers.moments import written
from servers.ranges import Window
from servers.wire import Report
from tests.servers import rolledup
from tests.servers.reports import report
from tests.servers.travelling import FACTS, MINUTE, PAGE, SECOND, this_hour

pytestmark = pytest.mark.django_db
PARTS = {"cpuUser": 20, "cpuSystem": 9, "cpuIowait": 5, "cpuSteal": 1}
SVG = "{http://www.w3.org/2000/svg}"


def tell(server: Server, at: datetime, cpu: float | None = 30, **load: float | None) -> None:
    """A report of a server with 16 GB, 8 processors and 40 processes."""
    usual = {"memUsedMB": 4096, "memTotalMB": 16384, "load1": 2, "load15": 1}
    body = report(ts=at.timestamp(), load={"cpu": cpu, **usual, **load}, procsTotal=40, **FACTS)
    ingest.store(server, msgspec.convert(body, Report), at)


def lanes_of(server: Server, start: datetime, end: datetime) -> dict[str, Lane]:
    newest = Newest.objects.get(server=server)
    shown = server_page.timeline(server, newest, Window(start, end, None, False))
    return {lane.id: lane for lane in shown["lanes"]}


def told(lane: Lane) -> dict[str, list[Any]]:
    """The lane's columns by the name of each of its readings."""
    return {name: columns for name, _css, *columns in json.loads(lane.values)["series"]}


def drawn(lane: Lane) -> list[str]:
    return [css for css, path in lane.curves if path]


def roll_up(start: datetime, end: datetime) -> None:
    for level in (history.HOST_MINUTES, history.HOST_HOURS):
        partitions.make(history.LEVELS[level], start, end)
        rollup._roll(level, start, end)
        rolledup.until(level, end)


def test_every_reading_has_its_lane(web1: Server) -> None:
    tell(web1, timezone.now())
    shown = lanes_of(web1, timezone.now() - HOUR, timezone.now() + SECOND)
    assert list(shown) == ["cpu", "mem", "load", "disk", "net", "procs"]
    assert "40" in shown["procs"].now


def test_values_stand_at_their_steps(web1: Server) -> None:
    start = this_hour() - HOUR
    for number, cpu in enumerate([10.26, None, 30]):
        tell(web1, start + 10 * number * SECOND, cpu)
    shown = lanes_of(web1, start, start + 10 * MINUTE)
    assert told(shown["cpu"])[""] == [[10.3, None, 30]]
    assert told(shown["load"]) == {"": [[2, 2, 2]], "15 min": [[1, 1, 1]]}
    assert told(shown["disk"]) == {}


def test_one_reading_a_step_has_no_band_and_several_have_one(web1: Server) -> None:
    start = this_hour() - 3 * HOUR
    for number in range(60):
        tell(web1, start + 10 * number * SECOND, 10 + number % 6)
    assert drawn(lanes_of(web1, start, start + 10 * MINUTE)["cpu"]) == ["a"]
    roll_up(start, start + HOUR)
    lane = lanes_of(web1, start, start + 6 * HOUR)["cpu"]
    assert drawn(lane) == ["band", "a"]
    mean, least, most = told(lane)[""]
    assert (mean[:5], least[:5], most[:5]) == ([12.5] * 5, [10] * 5, [15] * 5)
    band = dict(lane.curves)["band"]
    assert band.count("M") == 1
    assert band.endswith("Z")


def test_a_gap_is_a_gap_in_the_band_too(web1: Server) -> None:
    start = this_hour() - 3 * HOUR
    for second in (*range(0, 600, 10), *range(1800, 2400, 10)):
        tell(web1, start + second * SECOND, 10 + second % 20)
    newest = Newest.objects.get(server=web1)
    window = Window(start, start + HOUR, None, False)
    shown = readings.context(newest, web1.pk, readings.now_values(newest, False), window)
    curves = dict(shown["lanes"][0].curves)
    assert curves["band"].count("M") == curves["a"].count("M") == 2
    assert len(shown["gaps"]) == 1


def test_the_parts_of_cpu_are_drawn_where_they_are_told(web1: Server) -> None:
    start = this_hour() - HOUR
    tell(web1, start)
    assert drawn(lanes_of(web1, start, start + 10 * MINUTE)["cpu"]) == ["a"]
    tell(web1, start + 10 * SECOND, **PARTS)
    lane = lanes_of(web1, start, start + 10 * MINUTE)["cpu"]
    assert drawn(lane) == ["a", "a s2", "band s3", "band s4"]
    assert told(lane) == {
        "": [[30, 30]], "user": [[None, 20]], "system": [[None, 9]], "I/O wait": [[None, 5]], "steal": [[None, 1]],
    }  # fmt: skip
    assert "user 20, system 9, wait 5" in lane.note


def test_what_is_never_above_nothing_is_not_drawn(web1: Server) -> None:
    start = this_hour() - HOUR
    tell(web1, start, **PARTS | {"cpuIowait": 0.0, "cpuSteal": 0.0})
    assert drawn(lanes_of(web1, start, start + 10 * MINUTE)["cpu"]) == ["a", "a s2"]


def test_the_parts_of_cpu_are_kept_at_every_level(web1: Server) -> None:
    start = this_hour() - 3 * HOUR
    tell(web1, start, **PARTS)
    tell(web1, start + SECOND, **PARTS | {"cpuUser": 40})
    roll_up(start, start + HOUR)
    for table in (history.HOST_MINUTES, history.HOST_HOURS):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT cpu_user_avg, cpu_user_max, cpu_steal_min, cpu_iowait_n FROM {table} WHERE server_id = %s",  # noqa: S608
                [web1.pk],
            )
            assert cursor.fetchall() == [(30, 40, 1, 2)]


def test_swap_is_told_where_there_is_some(as_viewer: Client, web1: Server) -> None:
    tell(web1, timezone.now(), swapUsedMB=256, swapTotalMB=1024)
    shown = as_viewer.get(PAGE).content.decode()
    assert "4.0 of 16.0 GB, swap 25%" in shown
    lane = lanes_of(web1, timezone.now() - HOUR, timezone.now() + SECOND)["mem"]
    assert told(lane)["swap"] == [[25]] or told(lane)["swap"][0][-1] == 25


def test_the_highest_of_a_rolled_up_step_is_the_highest(web1: Server) -> None:
    start = this_hour() - 3 * HOUR
    for second, cpu in ((0, 10), (10, 90)):
        tell(web1, start + second * SECOND, cpu)
    roll_up(start, start + HOUR)
    assert "max 90%" in lanes_of(web1, start, start + 6 * HOUR)["cpu"].label


# To take away


def stretch(start: datetime, end: datetime) -> str:
    return f"from={written(start)}&to={written(end)}"


def test_the_table_holds_exactly_what_was_reported(as_viewer: Client, web1: Server) -> None:
    start = this_hour() - HOUR
    tell(web1, start, 10.123456, **PARTS, netRxBps=1500.5)
    tell(web1, start + 20 * SECOND, None)
    answer = as_viewer.get(f"{PAGE}readings.csv?{stretch(start, start + 10 * MINUTE)}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    name = f"srv-web-01_{start:%Y%m%dT%H%M%SZ}_{start + 10 * MINUTE:%Y%m%dT%H%M%SZ}.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    lines = answer.content.decode().split("\n")
    assert lines[0].startswith("time,cpu avg,cpu min,cpu max,cpuUser avg,")
    assert lines[0].count(",") == 3 * len(history.METRICS)
    first, second = csv.DictReader(io.StringIO(answer.content.decode()))
    assert first["time"] == f"{start:%Y-%m-%dT%H:%M:%SZ}"
    assert [first[f"cpu {of}"] for of in ("avg", "min", "max")] == ["10.123"] * 3
    others = [first[name] for name in ("cpuSteal max", "netRxBps avg", "mem avg", "procs min")]
    assert others == ["1.0", "1500.5", "25.0", "40.0"]
    assert (second["time"], second["cpu avg"]) == (f"{start + 20 * SECOND:%Y-%m-%dT%H:%M:%SZ}", "")


def test_the_table_tells_least_and_most_of_what_is_rolled_up_and_is_bounded(as_viewer: Client, web1: Server) -> None:
    start = this_hour() - 3 * HOUR
    for second, cpu in ((0, 10), (10, 20), (20, 60)):
        tell(web1, start + second * SECOND, cpu)
    roll_up(start, start + HOUR)
    for name in ("24h", "2y"):
        (row,) = csv.DictReader(io.StringIO(as_viewer.get(f"{PAGE}readings.csv?range={name}").content.decode()))
        assert [float(row[f"cpu {of}"]) for of in ("avg", "min", "max")] == [30, 10, 60]


def test_the_picture_stands_alone(as_viewer: Client, web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).update(hostname='<script>alert("1")</script>&')
    start = this_hour() - HOUR
    for number in (*range(20), *range(40, 50)):
        tell(web1, start + 10 * number * SECOND, number, **PARTS)
    answer = as_viewer.get(f"{PAGE}readings.svg?{stretch(start, start + 10 * MINUTE)}")
    assert answer["Content-Type"] == "image/svg+xml"
    text = answer.content.decode()
    assert not re.search(r"<script|var\(--|class=|href|style=|url\(", text)
    picture = ET.fromstring(text)  # noqa: S314  our own
    assert picture.find(f"{SVG}title").text.startswith('<script>alert("1")</script>&, ')  # type: ignore[union-attr]
    plots = picture.findall(f"{SVG}g/{SVG}svg")
    assert len(plots) == 6
    assert len(plots[0].findall(f"{SVG}path")) == 4
    assert picture.get("viewBox") == f"0 0 1200 {picture.get('height')}"
    assert [rect.get("fill") for rect in picture.iter(f"{SVG}rect")] == ["#ffffff", "#ebebe9"]
    assert all(path.get("fill") for plot in plots for path in plot)
    assert {"CPU", "Memory", "Load", "Disk", "Network", "Processes"} <= {
        word.text for word in picture.iter(f"{SVG}text")
    }


@pytest.mark.parametrize("part", ["readings.csv", "readings.svg"])
def test_only_those_who_see_the_server_may_take_them(
    as_outsider: Client, client: Client, web1: Server, part: str
) -> None:
    assert as_outsider.get(PAGE + part).status_code == 404
    assert client.get(PAGE + part)["Location"].startswith("/login/?next=")


def test_of_a_server_without_a_past_they_are_empty(as_viewer: Client, web1: Server) -> None:
    assert as_viewer.get(f"{PAGE}readings.csv").content.decode().count("\n") == 1
    assert as_viewer.get(f"{PAGE}readings.svg").status_code == 200


def test_the_page_links_both_of_what_it_shows(as_viewer: Client, web1: Server) -> None:
    asked = stretch(this_hour() - 2 * HOUR, this_hour() - HOUR)
    shown = as_viewer.get(f"{PAGE}?{asked}").content.decode()
    for part in ("csv", "svg"):
        assert f'href="{PAGE}readings.{part}?{html.escape(asked)}"' in shown


@pytest.mark.parametrize("language", ["en", "ro"])
def test_a_long_stretch_refreshes_itself_once_an_hour_in_any_language(
    as_viewer: Client, web1: Server, language: str
) -> None:
    tell(web1, this_hour() - HOUR, 1)
    as_viewer.cookies["django_language"] = language
    shown = as_viewer.get(f"{PAGE}?range=2y").content.decode()
    assert 'hx-trigger="every 3600s"' in shown
    assert 'data-way="out"' not in shown  # there is no more than two years


def test_what_is_still_to_come_is_no_history(as_viewer: Client, web1: Server) -> None:
    tell(web1, timezone.now(), 1)
    told = as_viewer.get("/api/servers/srv-web-01/history?metric=cpu&to=2999-01-01T00:00:00Z").json()
    assert told["step"] < 60
