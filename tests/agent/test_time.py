"""The hub's time, and how long to wait for a hub that is away."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from agent import hubclock
from agent.backoff import Backoff
from agent.hubclock import HubClock


def test_the_hubs_time_is_known_from_an_answer() -> None:
    clock = HubClock()
    clock.learn("2030-01-01T00:00:00Z", None)
    first = clock.now()
    assert first == pytest.approx(hubclock.parse("2030-01-01T00:00:00Z"), abs=30)
    time.sleep(0.05)
    assert clock.now() > first


def test_the_date_header_does_where_there_is_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HubClock()
    clock.learn(None, formatdate(1_900_000_000, usegmt=True))
    monkeypatch.setattr(time, "time", lambda: 0.0)  # the local clock set back by decades
    assert 1_900_000_000 <= clock.now() < 1_900_000_003


@pytest.mark.parametrize("header", [None, "", "soon"])
def test_nonsense_changes_nothing(header: str | None) -> None:
    clock = HubClock()
    clock.learn("2030-01-01T00:00:00Z", None)
    clock.learn(7, header)
    assert clock.now() > hubclock.parse("2029-12-31T00:00:00Z")


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "yesterday", None, 5])
def test_a_time_without_a_zone_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="time"):
        hubclock.parse(text)


def test_times_go_there_and_back() -> None:
    assert hubclock.iso(hubclock.parse("2026-11-23T04:58:09.250+02:00")) == "2026-11-23T02:58:09.250Z"


def test_waits_double_to_a_cap_with_jitter_and_start_again() -> None:
    backoff = Backoff(first=1, cap=8)
    rounds = []
    for _ in range(50):
        rounds.append([backoff.next() for _ in range(10)])
        backoff.reset()
    longest = [max(column) for column in zip(*rounds, strict=True)]
    assert longest[0] <= 1
    assert longest[1] <= 2
    assert 4 < max(longest) <= 8
    assert len({row[5] for row in rounds}) == 50
