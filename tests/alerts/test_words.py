"""Limits and measured values in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from alerts import words
from alerts.models import Incident
from alerts.rules import kinds

LOAD, MEMORY = {"metric": "load1"}, {"metric": "mem"}


@pytest.mark.parametrize(
    ("kind", "limit", "facts", "said"),
    [
        (kinds.READING, 90, MEMORY, "90%"),
        (kinds.READING, 90.0, MEMORY, "90%"),
        (kinds.READING, 99.999, MEMORY, "99.999%"),
        (kinds.READING, 0.04, LOAD, "0.04"),
        (kinds.READING, 1234.5, LOAD, "1,234.5"),
        (kinds.SKEW, 0.25, {}, "0.25 s"),
        (kinds.DISK_FILLING, 1e15, {}, "1,000,000,000,000,000 h"),
        (kinds.FLAPPING, 1, {}, "1 time"),
        (kinds.FLAPPING, 1.5, {}, "1.5 times"),
        (kinds.FAILED, None, {}, ""),
    ],
)
def test_a_limit_is_told_to_its_last_figure(kind: str, limit: float | None, facts: dict[str, Any], said: str) -> None:
    assert words.limit(kind, limit, facts) == said


@pytest.mark.parametrize(
    ("value", "limit", "said"),
    [
        (93.24, 90, "93.2%"),
        (93.0, 90, "93%"),
        (90.04, 90, "90.04%"),
        (90.0000001, 90, "90.0000001%"),
        (89.96, 90, "89.96%"),  # under it, and so it reads
        (99.96, 99.95, "100.0%"),
        (99.951, 99.95, "100.0%"),
        (99.94, 99.95, "99.9%"),
        (90.0, 90, "90%"),
        (93.24, None, "93.2%"),
    ],
)
def test_what_is_measured_is_rounded_on_its_own_side_of_the_limit(value: float, limit: float | None, said: str) -> None:
    assert words.amount(kinds.READING, value, {**MEMORY, "limit": limit}) == said


@pytest.mark.parametrize(
    ("kind", "value", "facts", "said"),
    [
        (kinds.PROCESS_MEMORY, 1024.3, {"limit": 1024}, "1,024.3 MB"),
        (kinds.PROCESS_MEMORY, 1300.3, {"limit": 1024}, "1,300 MB"),
        (kinds.DISK_FILLING, 23.96, {"limit": 24}, "23.96 h"),
        (kinds.READING, 0.044, {**LOAD, "limit": 0.04}, "0.044"),
        (kinds.RESTARTED, 3, {"limit": 2.5}, "3 times"),
    ],
)
def test_so_it_is_of_every_unit(kind: str, value: float, facts: dict[str, Any], said: str) -> None:
    assert words.amount(kind, value, facts) == said


def test_titles_name_the_limit_as_it_was_given() -> None:
    facts = {"metric": "load1PerCpu", "limit": 0.75}
    assert words.title(Incident(kind=kinds.READING, server_id=1, facts=facts)) == (
        "Load average per processor above 0.75"
    )
    disk = Incident(kind=kinds.DISK_USED, server_id=1, subject="/var", facts={"limit": 99.95})
    assert words.title(disk) == "Disk /var over 99.95%"


def test_in_romanian_there_is_a_blank_before_the_percent_sign_and_a_decimal_comma() -> None:
    with translation.override("ro"):
        assert words.limit(kinds.READING, 99.95, MEMORY) == "99,95\xa0%"
        assert words.percent("95") == "95\xa0%"
