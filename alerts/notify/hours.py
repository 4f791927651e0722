"""The hours of a contact: on which days, from when to when by the clock of a zone. Pure.

A stretch belongs to the day it begins on, so that "Friday 22:00 to 06:00" ends on Saturday. From and until the same is
the whole day. When clocks go forward, a time that is left out is meant right after; of one that comes twice,
the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.utils.translation import gettext as _

from actions import zones

TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
DAYS = tuple(range(7))  # Monday first
AHEAD = 9  # days: over a whole week, and the day before it


def due(hours: dict[str, Any], moment: datetime) -> datetime:
    """The moment itself when it is within the hours, else when they next begin. Empty hours: always."""
    if not hours:
        return moment
    for start, end in _stretches(hours, moment):
        if moment < start:
            return start
        if moment < end:
            return moment
    return moment


def wrong(hours: Any) -> dict[str, str]:
    """What is wrong with hours, by the field's name; nothing when they can be used."""
    if not hours:
        return {}
    if not isinstance(hours, dict) or set(hours) != {"days", "from", "to", "zone"}:
        return {
            "hours": _('must be {"days": [0, 1, 2, 3, 4], "from": "08:00", "to": "18:00", "zone": "Europe/Bucharest"}')
        }
    found = {}
    days = hours["days"]
    if not isinstance(days, list) or not days or any(type(day) is not int or day not in DAYS for day in days):
        found["hours.days"] = _("name at least one day, from 0 for Monday to 6 for Sunday")
    for name in ("from", "to"):
        if not isinstance(hours[name], str) or not TIME.fullmatch(hours[name]):
            found[f"hours.{name}"] = _("write a time such as 08:00")
    if hours["zone"] not in zones.names():
        found["hours.zone"] = _("is no time zone that the hub knows; write one such as Europe/Bucharest")
    return found


def _stretches(hours: dict[str, Any], moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Those that may hold the moment or come next, in order."""
    zone, begins, ends = hours["zone"], time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])
    today = zones.there(moment, zone).date()
    for ahead in range(-1, AHEAD):
        day = today + timedelta(days=ahead)
        if day.weekday() in hours["days"]:
            last = day if begins < ends else day + timedelta(days=1)
            yield zones.moment(datetime.combine(day, begins), zone), zones.moment(datetime.combine(last, ends), zone)
