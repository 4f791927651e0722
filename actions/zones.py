"""Times of day in a zone. A time that the clock leaves out is meant at once after; one that comes twice, the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from servers.models import Newest

UNKNOWN = "UTC"  # the zone of a server that does not tell its own


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every zone's name that the hub knows: "Europe/Bucharest"."""
    return frozenset(available_timezones())


def known(name: Any) -> str:
    """The name as it is, or "UTC" for one that the hub does not know."""
    return name if isinstance(name, str) and name in names() else UNKNOWN


def of_server(server_id: int) -> str:
    """The name of the zone that the server's clock is set to, as its agent reports it; UTC while it does not."""
    facts = Newest.objects.filter(server=server_id).values_list("facts", flat=True).first()
    return known((facts or {}).get("timeZone"))


def moment(local: datetime, name: str) -> datetime:
    """A time of day, without a zone of its own, as a moment in UTC; name: a known zone."""
    there = local.replace(tzinfo=ZoneInfo(name), fold=0)
    while _left_out(there):
        there += timedelta(minutes=1)
    return there.astimezone(UTC)


def there(when: datetime, name: str) -> datetime:
    """A moment by the clock of a known zone."""
    return when.astimezone(ZoneInfo(name))


def _left_out(there: datetime) -> bool:
    """Whether the zone's clock jumps over it."""
    back = there.astimezone(UTC).astimezone(there.tzinfo)
    return back.replace(tzinfo=None) != there.replace(tzinfo=None)
