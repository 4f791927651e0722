"""How values are shown, in both languages, and that nothing gets through unescaped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from pmonitor import sparkline
from pmonitor.templatetags import show

MARKUP = '<b onclick="x">&'


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [(1984, 0, "1,984"), (12.44, 1, "12.4"), (0, 1, '<span class="muted">0</span>'), (-3, 0, "-3")],
)
def test_numbers(value: float, decimals: int, said: str) -> None:
    assert show.num(value, decimals) == said


def test_no_data_is_a_dash_that_is_read_out() -> None:
    for shown in (show.num(None), show.percent(None), show.duration(None), show.age(None), show.reading(None)):
        assert shown == '<span aria-hidden="true">—</span><span class="hide">no data</span>'


def test_numbers_in_romanian() -> None:
    with translation.override("ro"):
        assert show.plain(1984) == "1.984"
        assert show.plain(12.4, 1) == "12,4"
    assert show.plain(12.4, 1) == "12.4"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0"),
        (4.9, "4"),
        (59.99, "59"),
        (60, "1"),
        (3599, "59"),
        (3600, "1"),
        (86_399, "23"),
        (86_400 * 1041, "1,041"),
    ],
)
def test_spans_are_told_in_their_largest_unit(seconds: float, said: str) -> None:
    assert str(show.duration(seconds)).startswith(f'{said}<span class="unit">')


def test_an_age_has_its_moment_beside_it() -> None:
    shown = show.age(timezone.now() - timedelta(minutes=12, seconds=5))
    assert ">12 min</time>" in shown
    assert 'data-age=""' in shown
    assert ">12 min ago<" in show.age(timezone.now() - timedelta(minutes=12, seconds=5), "ago")
    when = datetime(2026, 11, 22, 12, 6, 32, tzinfo=UTC)
    assert 'title="Sun 22 Nov 2026, 12:06:32 UTC"' in show.age(when)
    assert 'datetime="2026-11-22T12:06:32Z"' in show.age(when)


def test_an_age_in_the_future_is_zero() -> None:
    assert ">0 s</time>" in show.age(timezone.now() + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("value", "level"), [(None, ""), (79.9, ""), (80, "high"), (89.9, "high"), (90, "full"), (100, "full")]
)
def test_levels(value: float | None, level: str) -> None:
    assert show.level(value) == level


def test_a_metric_says_how_full_it_is() -> None:
    assert 'data-level="high"' in show.metric(84)
    assert "data-level" not in show.metric(43)
    assert '<rect width="43%" height="100%"/>' in show.metric(43)
    assert "data-level" not in show.metric(840, unit="", share=50)
    assert 'class="metric s2"' in show.metric(1, series="s2")


def test_old_values_are_not_shown_as_new() -> None:
    shown = show.metric(97, points=[97.0] * 12 + [None] * 18, gone=True)
    assert "97" not in shown
    assert "no data" in shown
    assert 'class="spark gone"' in shown


def test_a_bar_stays_in_its_box() -> None:
    assert 'width="100%"' in show.bar(140)
    assert 'width="0%"' in show.bar(-1)


def test_a_sparkline_stops_where_the_data_stops() -> None:
    whole = sparkline.area(sparkline.runs([50.0] * 30)[0])
    assert whole.startswith("M-3 23V10H0")
    assert whole.endswith("H61V23")
    runs = sparkline.runs([None, 10.0, 20.0, None, 30.0])
    assert [[x for x, _y in run] for run in runs] == [[2, 4], [8]]
    assert sparkline.line(runs[0]) == "M2 17l2-1.7"
    assert sparkline.line(runs[1]) == "M8 13.5h0"
    assert sparkline.runs([]) == []


def test_steps_of_ten_and_more_keep_their_digits() -> None:
    assert sparkline.line(sparkline.runs([100.0, 0.0, 41.0])[0]) == "M0 1.2l2 17.6 2-7.2"


def test_a_sparkline_is_small() -> None:
    assert len(show.spark([(place * 37) % 101 + 0.5 for place in range(30)])) < 420


@pytest.mark.parametrize(
    "shown",
    [
        show.status(MARKUP, MARKUP, MARKUP, MARKUP),
        show.glyph(MARKUP),
        show.icon(MARKUP),
        show.mid(MARKUP),
        show.mid(MARKUP * 9),
        show.host(MARKUP),
        show.metric(1, series=MARKUP),
    ],
)
def test_what_is_given_is_escaped(shown: str) -> None:
    assert "<b" not in shown
    assert 'onclick="' not in shown


def test_long_names_are_cut_in_their_middle() -> None:
    assert show.mid("web-buh-07") == '<span class="clip">web-buh-07</span>'
    cut = "<span>kafka-broker-buh1-rack07</span><span>-node-0003</span>"
    assert cut in show.mid("kafka-broker-buh1-rack07-node-0003")


@pytest.mark.parametrize(
    ("name", "label"),
    [("web-1.internal.example.net", "web-1"), ("web-1", "web-1"), ("10.0.0.7", "10.0.0.7"), (".hidden", ".hidden")],
)
def test_host_names_show_their_first_label(name: str, label: str) -> None:
    assert show.first_label(name) == label
