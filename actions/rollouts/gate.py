"""What the health gate looks at besides a command's own verified outcome. Pure: no database, no clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

SETTLED = ("active", "inactive", "failed")  # a service on its way somewhere proves nothing yet


class Seen(NamedTuple):
    """A service as its server's last report lists it."""

    active_state: str
    main_pid: int | None
    listed_at: datetime | None  # when the list came
    silent: bool  # the server has stopped reporting since


def contradiction(after: dict[str, Any], ended_at: datetime, seen: Seen) -> tuple[str, dict[str, Any]] | None:
    """Why a service that had succeeded did not stay so until the next batch, with facts; None while nothing says so.

    after: the evidence of its command, in the protocol's words. A list that is older than the command tells nothing.
    """
    if seen.silent:
        return "fell_silent", {}
    if seen.listed_at is None or seen.listed_at <= ended_at or seen.active_state not in SETTLED:
        return None
    was, pid = str(after.get("activeState") or ""), after.get("mainPid")
    if was in SETTLED and was != seen.active_state:
        return "did_not_hold", {"now": seen.active_state}
    if pid and seen.main_pid and pid != seen.main_pid:
        return "main_process_changed", {"before": pid, "now": seen.main_pid}
    return None
