"""How often a service came back or flapped, out of its events and its manager's counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.evaluate.service_counts import Count, Happened, flapped, restarted
from tests.alerts.finding import NOW, SECOND

START = NOW - timedelta(minutes=10)


def event(seconds: float, kind: str, restarts: int | None = None, ran: bool = True) -> Happened:
    """Something that happened so many seconds after the window began."""
    return Happened(START + seconds * SECOND, kind, restarts, ran)


def count(seconds: float, number: int) -> Count:
    return Count(START + seconds * SECOND, number)


@pytest.mark.parametrize(
    ("happened", "restarts", "flaps"),
    [
        ([], 0, 0),
        ([event(5, "restarted")], 1, 1),
        ([event(5, "stopped"), event(9, "started")], 0, 2),
        ([event(5, "crashed"), event(9, "came_back", 1, ran=False)], 1, 2),
        ([event(5, "came_back", 1)], 1, 1),  # it ended cleanly and was started again between two lists
        ([event(5, "oom_killed"), event(6, "failed")], 1, 2),
        ([event(5, "reloaded"), event(6, "appeared"), event(7, "gone")], 0, 0),
        ([event(0, "restarted"), event(-1, "crashed")], 0, 0),  # before the window
    ],
)
def test_events_of_the_window_count(happened: list[Happened], restarts: int, flaps: int) -> None:
    assert (restarted(happened, [], START), flapped(happened, [], START)) == (restarts, flaps)


def test_what_no_event_tells_is_taken_from_the_managers_counts() -> None:
    happened = [event(100, "crashed", 8), event(200, "crashed", 16)]
    counts = [count(100, 8), count(200, 16), count(230, 19)]
    assert restarted(happened, counts, START) == 2 + 7 + 3  # and the crash at the first count
    assert flapped(happened, counts, START) == 2 + 2 * (7 + 3)


def test_of_counts_around_the_windows_begin_an_even_share_counts() -> None:
    assert restarted([], [count(-300, 1000), count(100, 1040)], START) == 10
    assert restarted([], [count(-300, 1000), count(-100, 1040)], START) == 0


@pytest.mark.parametrize("counts", [[count(10, 40), count(20, 0)], [count(10, 4), count(10, 4)], [count(10, 4)]])
def test_a_count_that_was_reset_or_stands_still_tells_nothing(counts: list[Count]) -> None:
    assert restarted([], counts, START) == 0
