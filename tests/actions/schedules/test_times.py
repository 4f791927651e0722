"""When schedules run, held against a reference that knows only minutes, and what a wrong expression is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSimError
from hypothesis import given, settings
from hypothesis import strategies as st

from actions import zones
from actions.schedules import times

BUCHAREST, NEW_YORK = "Europe/Bucharest", "America/New_York"
SHIFTS = [  # days on which clocks change, the day before, the day after
    (BUCHAREST, date(2026, 3, 29)), (BUCHAREST, date(2026, 10, 25)),
    (NEW_YORK, date(2026, 3, 8)), (NEW_YORK, date(2026, 11, 1)),
]  # fmt: skip
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@st.composite
def fields(draw: st.DrawFn, bounds: tuple[int, int]) -> tuple[str, set[int]]:
    """One field as it is written, and the values that it means."""
    least, most = bounds
    kind = draw(st.sampled_from(["*", "*/n", "list", "range"]))
    if kind == "*":
        return "*", set(range(least, most + 1))
    if kind == "*/n":
        step = draw(st.integers(1, most))
        return f"*/{step}", set(range(least, most + 1, step))
    if kind == "list":
        values = draw(st.lists(st.integers(least, most), min_size=1, max_size=3))
        return ",".join(map(str, values)), set(values)
    low = draw(st.integers(least, most))
    high = draw(st.integers(low, most))
    return f"{low}-{high}", set(range(low, high + 1))


def reference(written: list[str], meant: list[set[int]], zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every minute is looked at. A fixed time of day is meant as written; others as the hours pass."""
    minutes, hours, days, months, weekdays = meant
    either = not (written[2].startswith("*") or written[4].startswith("*"))

    def matches(local: datetime) -> bool:
        on_day, on_weekday = local.day in days, local.isoweekday() % 7 in weekdays
        in_day = (on_day or on_weekday) if either else (on_day and on_weekday)
        return local.minute in minutes and local.hour in hours and local.month in months and in_day

    fixed = not written[0].startswith("*") and not written[1].startswith("*")
    there = ZoneInfo(zone)
    count = int((end - start) / timedelta(minutes=1))
    if not fixed:
        moments = [start + timedelta(minutes=n) for n in range(1, count)]
        return [moment for moment in moments if matches(moment.astimezone(there))]
    wall = start.astimezone(there).replace(tzinfo=None) - timedelta(hours=3)
    walls = [wall + timedelta(minutes=n) for n in range(count + 360)]
    found = {first_after_the_gap(local, there) for local in walls if matches(local)}
    return sorted(moment for moment in found if start < moment < end)


def first_after_the_gap(local: datetime, there: ZoneInfo) -> datetime:
    """The first moment at which the zone's clock shows this minute or a later one of the same hours."""
    sooner, later = local.replace(tzinfo=there, fold=0), local.replace(tzinfo=there, fold=1)
    if sooner.utcoffset() != later.utcoffset() and sooner.astimezone(UTC) > later.astimezone(UTC):  # left out
        moment = later.astimezone(UTC).replace(second=0)
        while moment.astimezone(there).replace(tzinfo=None) < local:
            moment += timedelta(minutes=1)
        return moment
    return sooner.astimezone(UTC)


@settings(max_examples=150, deadline=None)
@given(
    shift=st.sampled_from(SHIFTS), parts=st.tuples(*(fields(bounds) for bounds in BOUNDS)), back=st.integers(0, 2879)
)
def test_next_times_are_those_of_a_reference_over_a_change_of_clocks(
    shift: tuple[str, date], parts: tuple[tuple[str, set[int]], ...], back: int
) -> None:
    zone, day = shift
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start = noon - timedelta(minutes=back)
    end = noon + timedelta(days=2)
    written, meant = [one[0] for one in parts], [one[1] for one in parts]
    expected = reference(written, meant, zone, start, end)
    try:
        found = []
        for moment in times.after(" ".join(written), zone, start):
            if moment >= end:
                break
            found.append(moment)
    except CronSimError:  # a day that none of the months has
        found = []
    assert found == expected


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 3 * * *", BUCHAREST, "2026-03-29", ["2026-03-29 01:00"]),  # 3:30 is left out: at 4:00, right after
        ("30 3 * * *", BUCHAREST, "2026-10-25", ["2026-10-25 00:30"]),  # 3:30 comes twice: once, the first
        ("30 2 * * *", NEW_YORK, "2026-03-08", ["2026-03-08 07:00"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01", ["2026-11-01 05:30"]),
        ("0 3,4 * * *", BUCHAREST, "2026-03-29", ["2026-03-29 01:00"]),  # both are 4:00: once
        ("0 */6 * * *", BUCHAREST, "2026-10-25", [
            "2026-10-24 21:00", "2026-10-25 04:00", "2026-10-25 10:00", "2026-10-25 16:00",
        ]),
    ],
)  # fmt: skip
def test_a_day_on_which_clocks_change(cron: str, zone: str, day: str, expected: list[str]) -> None:
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)) - timedelta(minutes=1)
    end = datetime.fromisoformat(f"{day}T23:59").replace(tzinfo=ZoneInfo(zone))
    found = [moment for moment in times.upcoming(cron, zone, start.astimezone(UTC), 9) if moment < end]
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in found] == expected


def test_the_second_of_two_equal_hours_does_not_run_it_again() -> None:
    between = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 3:15, the second time
    assert times.following("30 3 * * *", BUCHAREST, between) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "moment"),
    [
        ("2026-03-29T03:30", "2026-03-29 01:00"),
        ("2026-10-25T03:30", "2026-10-25 00:30"),
        ("2026-07-01T12:00", "2026-07-01 09:00"),
    ],
)
def test_one_time_of_day_is_meant_the_same_way(local: str, moment: str) -> None:
    assert f"{zones.moment(datetime.fromisoformat(local), BUCHAREST):%Y-%m-%d %H:%M}" == moment


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "Write five fields"),
        ("* * * *", "Write five fields"),
        ("0 0 3 * * MON", "Write five fields"),  # seconds first
        ("@daily", "Write five fields"),
        ("٣ 3 * * *", "Write five fields"),
        (f"{'0,' * 60}0 3 * * *", "Write five fields"),
        ("60 3 * * *", "The first field is the minute"),
        ("0 24 * * *", "The second field is the hour"),
        ("0 3 32 * *", "The third field is the day of the month"),
        ("0 3 30 2 *", "The third field is the day of the month"),
        ("0 3 * 13 *", "The fourth field is the month"),
        ("0 3 * * 8", "The fifth field is the day of the week"),
        ("0 3 LW * */7", "This time never comes."),
        ("* * * * *", "Leave at least 5 minutes between two runs."),
        ("*/4 3 * * *", "Leave at least 5 minutes"),
        ("0,59 23,0 * * *", "Leave at least 5 minutes"),
        ("*/5 * * * *", ""),
        ("30 3 * * MON-FRI", ""),
        ("0 4 L * *", ""),
        ("0 4 29 2 *", ""),
        ("0 4 * * MON#5", ""),
    ],
)
def test_what_is_wrong_is_said(cron: str, said: str) -> None:
    found = times.wrong(cron)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_runs_past_their_grace_are_counted() -> None:
    due, now = datetime(2026, 11, 25, 3, tzinfo=UTC), datetime(2026, 11, 25, 5, 2, tzinfo=UTC)
    assert times.missed("0,30 * * * *", "UTC", due, now) == 4  # 3:00, 3:30, 4:00, 4:30; not 5:00
    assert times.missed("", "UTC", due, now) == 1


def test_zones_that_the_hub_does_not_know_are_utc() -> None:
    for name in ("Nowhere/Else", "", None, 7, "../../etc/passwd", "Europe"):
        assert zones.known(name) == "UTC"
    assert zones.known(BUCHAREST) == BUCHAREST
