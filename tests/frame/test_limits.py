"""Rate limits count each client by itself, and end."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisAway

from pmonitor import limits
from pmonitor.problems import Problem


@pytest.fixture(autouse=True)
def _two_a_minute(settings: Settings) -> None:
    settings.RATE_LIMITS = {"register": (2, 60), "actions": (2, 60)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that limits.py sees; sixty divides its first value."""
    now = [1_000_000_020.0 - 1_000_000_020 % 60]
    monkeypatch.setattr("pmonitor.limits.time.time", lambda: now[0])
    return now


def refused(name: str, key: object) -> Problem | None:
    try:
        limits.hit(name, key)
    except Problem as problem:
        return problem
    return None


def test_past_the_limit_a_429_says_when_to_come_back(clock: list[float]) -> None:
    clock[0] += 15.2
    assert [refused("register", "203.0.113.9") for _ in range(2)] == [None, None]
    problem = refused("register", "203.0.113.9")
    assert problem is not None
    assert (problem.status_code, problem.headers) == (429, {"Retry-After": "45"})


def test_other_clients_and_other_calls_are_counted_by_themselves(clock: list[float]) -> None:
    assert [bool(refused("register", "203.0.113.9")) for _ in range(3)] == [False, False, True]
    assert refused("register", "2001:db8::7") is None
    assert refused("actions", "203.0.113.9") is None


def test_the_next_window_begins_at_nothing(clock: list[float]) -> None:
    assert [bool(refused("register", 1)) for _ in range(3)] == [False, False, True]
    clock[0] += 60
    assert refused("register", 1) is None


def test_without_the_cache_the_hub_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise RedisAway("refused")

    monkeypatch.setattr("pmonitor.limits.cache.add", away)
    assert [refused("register", 1) for _ in range(5)] == [None] * 5
