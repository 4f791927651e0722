"""A server's states out of what was recorded: changes, absences of the hub, and what was heard of later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers import spells
from servers.spells import UNKNOWN, Away, Change, Spell
from servers.states import SILENT, UP

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return T0 + minutes * MINUTE


def told(found: list[Spell]) -> list[tuple[float, float, str, str]]:
    return [((one.start - T0) / MINUTE, (one.end - T0) / MINUTE, one.state, one.why) for one in found]


def of(
    changes: list[tuple[float, str]], away: Sequence[tuple[float, float]] = (), end: float = 60
) -> list[tuple[float, float, str, str]]:
    absences = [Away(at(first), at(last), "asleep") for first, last in away]
    return told(spells.spells([Change(at(minute), state) for minute, state in changes], absences, T0, at(end)))


def test_it_is_in_a_state_until_the_next_change() -> None:
    assert of([(-90, UP), (10, SILENT), (20, UP)]) == [(0, 10, UP, ""), (10, 20, SILENT, ""), (20, 60, UP, "")]


def test_before_the_first_record_nothing_is_known() -> None:
    assert of([]) == [(0, 60, UNKNOWN, "")]
    assert of([(15, UP)]) == [(0, 15, UNKNOWN, ""), (15, 60, UP, "")]


@pytest.mark.parametrize("state", [UP, SILENT])
def test_what_the_hub_did_not_see_it_does_not_know(state: str) -> None:
    assert of([(-1, state)], [(10, 20)]) == [(0, 10, state, ""), (10, 20, UNKNOWN, "asleep"), (20, 60, state, "")]


def test_absences_may_overlap_each_other_and_the_ends() -> None:
    found = of([(-1, UP), (25, SILENT)], [(-5, 5), (10, 30), (20, 40), (55, 90)])
    assert found == [
        (0, 5, UNKNOWN, "asleep"), (5, 10, UP, ""), (10, 40, UNKNOWN, "asleep"), (40, 55, SILENT, ""),
        (55, 60, UNKNOWN, "asleep"),
    ]  # fmt: skip


def test_after_a_clock_was_set_back_the_later_record_holds() -> None:
    assert of([(-90, UP), (480, SILENT), (10, SILENT), (12, UP)]) == [
        (0, 10, UP, ""),
        (10, 12, SILENT, ""),
        (12, 60, UP, ""),
    ]


def runs(minutes: Sequence[float]) -> list[tuple[datetime, datetime]]:
    """Minutes, in order, as runs."""
    found: list[tuple[datetime, datetime]] = []
    for minute in minutes:
        if found and found[-1][1] == at(minute):
            found[-1] = found[-1][0], at(minute + 1)
        else:
            found.append((at(minute), at(minute + 1)))
    return found


def heard(found: list[Spell], *minutes: float) -> list[tuple[float, float, str, str]]:
    return told(spells.filled(found, runs(minutes)))


def test_what_came_later_fills_an_absence() -> None:
    away = [Spell(at(0.5), at(41.5), UNKNOWN, "stopped")]
    assert heard(away, *range(1, 41)) == [(0.5, 41.5, UP, "")]
    assert heard(away, *range(1, 11), *range(31, 41)) == [
        (0.5, 11, UP, ""),
        (11, 31, UNKNOWN, "stopped"),
        (31, 41.5, UP, ""),
    ]
    assert heard(away) == [(0.5, 41.5, UNKNOWN, "stopped")]


def test_what_came_later_proves_that_a_silent_server_was_up() -> None:
    silent = [Spell(at(0), at(10), UP), Spell(at(10), at(20), SILENT), Spell(at(20), at(60), UP)]
    assert heard(silent, 10, 11, 12, 13, 14) == [(0, 15, UP, ""), (15, 20, SILENT, ""), (20, 60, UP, "")]


def test_shares_are_a_hundred_and_the_rest_is_never_rounded_up_to_all() -> None:
    month = 30 * 1440
    found = spells.spells([Change(at(-1), UP), Change(at(5), SILENT), Change(at(6), UP)], [], T0, at(month))
    assert spells.shares(found) == {UP: 99.9, SILENT: 0.1}
    assert spells.shares([Spell(T0, at(5), UP)]) == {UP: 100.0}
    assert spells.shares([]) == {}


def test_what_is_not_known_is_told_apart_by_whether_the_hub_was_there() -> None:
    found = spells.spells([Change(at(10), UP)], [Away(at(20), at(35), "stopped")], T0, at(60))
    assert spells.lasting(found, UNKNOWN, seen=False) == 15 * 60
    assert spells.lasting(found, UNKNOWN, seen=True) == 10 * 60
    assert spells.lasting(found, UNKNOWN) == 25 * 60


MINUTES = st.integers(-30, 90)


@given(
    st.lists(st.tuples(MINUTES, st.sampled_from([UP, SILENT])), max_size=8),
    st.lists(st.tuples(MINUTES, st.integers(0, 40)), max_size=5),
    st.lists(st.integers(0, 59), max_size=20, unique=True).map(sorted),
)
def test_the_whole_stretch_is_told_once_whatever_was_recorded(
    changes: list[tuple[int, str]], away: list[tuple[int, int]], minutes: list[int]
) -> None:
    absences = [Away(at(first), at(first + length), "asleep") for first, length in away]
    made = spells.spells([Change(at(minute), state) for minute, state in changes], absences, T0, at(60))
    for found in (made, spells.filled(made, runs(minutes))):
        assert (found[0].start, found[-1].end) == (T0, at(60))
        assert all(one.end == after.start for one, after in pairwise(found))
        assert all(one.start < one.end for one in found)
        assert all(one[2:] != after[2:] for one, after in pairwise(found))
        assert round(sum(spells.shares(found).values()), 6) == 100
    up_before = spells.lasting(made, UP)
    assert up_before <= spells.lasting(found, UP) <= 3600


def test_of_a_short_absence_only_what_was_heard_is_up() -> None:
    away = [Spell(at(0.3), at(1.8), UNKNOWN, "stopped")]
    assert heard(away, 0) == [(0.3, 1, UP, ""), (1, 1.8, UNKNOWN, "stopped")]
