"""Which stretch of time is to be explained, and of which metric: the page's form and its address, and the API's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from servers import moments, ranges
from servers.spike import CPU, METRICS

LONGEST: Final = timedelta(hours=24)


class Asked(NamedTuple):
    """From start up to and without end, against as long a time before; errors: a sentence by the field's name."""

    metric: str
    start: datetime
    end: datetime
    given: dict[str, str]  # from, to as they were given
    open: str  # the group whose processes are listed
    errors: dict[str, str]

    @property
    def begin(self) -> datetime:
        """Where the stretch before begins."""
        return self.start - (self.end - self.start)

    @property
    def days(self) -> bool:
        """Whether its times need their day."""
        return self.end - self.start > timedelta(hours=12)

    def query(self, **other: str) -> str:
        """The address of the same, or with something other."""
        parts = {"from": moments.written(self.start), "to": moments.written(self.end), "metric": self.metric}
        return urlencode(parts | other, safe=":")


def read(query: Mapping[str, str], now: datetime) -> Asked:
    """Read an address; without `from` it is as long as the timeline's `range`, without `to` it ends now."""
    errors: dict[str, str] = {}
    given = {name: query.get(name, "").strip()[:60] for name in ("from", "to")}
    end = _moment(given, "to", errors) or now.replace(microsecond=0)
    length = ranges.preset(query, end, live=False).length
    start = _moment(given, "from", errors) or min(end, now.replace(microsecond=0)) - length
    metric = query.get("metric", "") or CPU
    return checked(metric, start, end, now, errors)._replace(given=given, open=query.get("open", ""))


def checked(metric: str, start: datetime, end: datetime, now: datetime, errors: dict[str, str]) -> Asked:
    """What is wrong with it is told in errors; what is still to come of it is cut off."""
    if metric not in METRICS:
        errors["metric"] = _("Choose CPU or memory.")
    if start > now:
        errors.setdefault("from", _("That is in the future."))
    end = min(end, now)
    if start >= end:
        errors.setdefault("to", _("This is not after the start."))
    elif end - start > LONGEST:
        errors.setdefault("to", _("At most %(hours)s hours can be explained at once.") % {"hours": 24})
    elif start < now - settings.KEPT["processes"]:
        days = settings.KEPT["processes"].days
        kept = ngettext("Process tables are kept for %(days)s day.", "Process tables are kept for %(days)s days.", days)
        errors.setdefault("from", kept % {"days": days})
    return Asked(metric, start, end, {}, "", errors)


def _moment(given: Mapping[str, str], name: str, errors: dict[str, str]) -> datetime | None:
    try:
        return moments.read(given, name)
    except moments.WrongMoment:
        errors[name] = _("A date and time is expected here.")
        return None
