"""When a contact may be told: over midnight, over changes of clocks, in any zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from alerts.notify import hours

WEEK, ALL = [0, 1, 2, 3, 4], list(range(7))
FRIDAY_NIGHT = {"days": [4], "from": "22:00", "to": "06:00", "zone": "UTC"}
MIDNIGHT = {"from": "00:00", "to": "00:00"}
OFFICE = {"days": WEEK, "from": "08:00", "to": "18:00", "zone": "Europe/Bucharest"}
EARLY = {"days": ALL, "from": "03:30", "to": "05:00", "zone": "Europe/Bucharest"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "moment", "due"),
    [
        ({}, "2026-11-29T03:00", "2026-11-29T03:00"),
        (FRIDAY_NIGHT, "2026-11-27T21:59", "2026-11-27T22:00"),
        (FRIDAY_NIGHT, "2026-11-27T23:30", "2026-11-27T23:30"),
        (FRIDAY_NIGHT, "2026-11-28T05:59", "2026-11-28T05:59"),  # Saturday, and Friday's still
        (FRIDAY_NIGHT, "2026-11-28T06:00", "2026-12-04T22:00"),
        (FRIDAY_NIGHT, "2026-11-27T05:00", "2026-11-27T22:00"),  # Friday morning is Thursday's
        (OFFICE, "2026-11-27T06:00", "2026-11-27T06:00"),  # 08:00 in Bucharest
        (OFFICE, "2026-11-27T15:59", "2026-11-27T15:59"),
        (OFFICE, "2026-11-27T16:00", "2026-11-30T06:00"),  # until Monday
        (OFFICE, "2026-07-03T05:00", "2026-07-03T05:00"),  # an hour earlier in summer
        (EARLY, "2026-03-29T00:00", "2026-03-29T01:00"),  # 03:30 is left out that night: meant at 04:00
        (EARLY, "2026-10-25T00:00", "2026-10-25T00:30"),  # 03:30 comes twice: the first
        (EARLY, "2026-10-25T01:45", "2026-10-25T01:45"),  # 03:45 for the second time
        ({"days": ALL, "from": "09:00", "to": "09:00", "zone": "UTC"}, "2026-11-29T03:00", "2026-11-29T03:00"),
        ({**MIDNIGHT, "days": [0], "zone": "Pacific/Auckland"}, "2026-11-29T10:59", "2026-11-29T11:00"),
        ({**MIDNIGHT, "days": [6], "zone": "America/New_York"}, "2026-11-30T04:59", "2026-11-30T04:59"),
    ],
)  # fmt: skip
def test_a_notice_is_due_within_the_hours(when: dict[str, Any], moment: str, due: str) -> None:
    assert hours.wrong(when) == {}
    assert hours.due(when, at(moment)) == at(due)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"days": []}, "hours.days"),
        ({"days": [7]}, "hours.days"),
        ({"days": [True]}, "hours.days"),
        ({"days": "all"}, "hours.days"),
        ({"from": "8:00"}, "hours.from"),
        ({"to": "24:00"}, "hours.to"),
        ({"to": 5}, "hours.to"),
        ({"zone": "Mars/Olympus"}, "hours.zone"),
        ({"until": "08:00"}, "hours"),
    ],
)
def test_wrong_hours_are_named(changed: dict[str, Any], field: str) -> None:
    assert list(hours.wrong({**OFFICE, **changed})) == [field]
    assert list(hours.wrong("always")) == ["hours"]
