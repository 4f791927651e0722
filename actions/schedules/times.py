"""When a schedule runs. Pure: no database, no clock of its own; times go in and come out in UTC.

Cron expressions mean what Debian's cron does with them. A time that the zone's clock leaves out runs right after, one
that comes twice runs once; with * in the minutes or the hours it follows the hours as they pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

LENGTH = 100  # characters of an expression
FIELDS = 5
LEAST_APART = timedelta(minutes=5)  # between two runs
GRACE = timedelta(minutes=5)  # later than so it does not run: it was missed
AHEAD = timedelta(days=366)  # how far off a single run may be
LOOKED_AT = 24  # runs, for how near they are
MOST_MISSED = 1_000  # counted on one record
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
SENTENCES: dict[str, Any] = {  # by what cronsim says
    "Bad minute": gettext_lazy("The first field is the minute: 0 to 59, such as 0,30 or */15."),
    "Bad hour": gettext_lazy("The second field is the hour: 0 to 23, such as 3 or 8-18."),
    "Bad day-of-month": gettext_lazy("The third field is the day of the month: 1 to 31, or L for the last."),
    "Bad month": gettext_lazy("The fourth field is the month: 1 to 12, or JAN to DEC."),
    "Bad day-of-week": gettext_lazy("The fifth field is the day of the week: 0 to 7 or SUN to SAT, such as MON-FRI."),
}


def wrong(cron: str) -> str:
    """What is wrong with a cron expression, in a sentence; empty when it can be scheduled."""
    if not cron.isascii() or len(cron.split()) != FIELDS or len(cron) > LENGTH:
        return _("Write five fields: minute, hour, day of the month, month, day of the week.")
    try:
        first = list(islice(CronSim(cron, ANY_DAY), LOOKED_AT))
    except CronSimError as error:
        return str(SENTENCES.get(str(error), error))
    if len(first) < 2:
        return _("This time never comes.")
    if min(later - sooner for sooner, later in pairwise(first)) < LEAST_APART:
        return _("Leave at least 5 minutes between two runs.")
    return ""


def after(cron: str, zone: str, when: datetime) -> Iterator[datetime]:
    """The times that a right expression names after a moment, without end unless it never comes again."""
    seen = when
    for there in CronSim(cron, when.astimezone(ZoneInfo(zone))):
        moment = there.astimezone(UTC)  # two times of one zone compare by their clock, which goes back once a year
        if moment > seen:
            seen = moment
            yield moment


def upcoming(cron: str, zone: str, when: datetime, count: int = 5) -> list[datetime]:
    """The next times."""
    return list(islice(after(cron, zone, when), count))


def following(cron: str, zone: str, when: datetime) -> datetime | None:
    """The next time; None if there is none."""
    return next(after(cron, zone, when), None)


def missed(cron: str, zone: str, due: datetime, now: datetime) -> int:
    """How many runs, the due one among them, are past their grace."""
    times = islice(after(cron, zone, due), MOST_MISSED - 1) if cron else ()
    return 1 + sum(1 for _time in _until(iter(times), now - GRACE))


def _until(times: Iterator[datetime], end: datetime) -> Iterator[datetime]:
    for time in times:
        if time >= end:
            return
        yield time
