"""Which stretch of time a timeline shows, as addresses hold it: `?range=24h`, or `?from=…&to=…` of anyone's choice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from servers import moments
from servers.moments import WrongMoment

A_DAY = 86_400  # seconds
MARKS = (60, 180, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, *(A_DAY * days for days in (1, 2, 5, 15, 30, 60, 120)))
MOST_MARKS = 8
LEAST, MOST = timedelta(minutes=1), timedelta(days=731)  # an open stretch of two years may grow for a day
WHOLE = timedelta(days=730)


class Range(NamedTuple):
    """A choice of how much past is shown up to now; seconds, seconds between two refreshes."""

    name: str
    word: Any
    seconds: int
    refresh: int


RANGES = {
    choice.name: choice
    for choice in (
        Range("15m", gettext_lazy("15 min"), 900, 10),
        Range("1h", gettext_lazy("1 h"), 3600, 30),
        Range("6h", gettext_lazy("6 h"), 21_600, 120),
        Range("24h", gettext_lazy("24 h"), A_DAY, 300),
        Range("7d", gettext_lazy("7 days"), 7 * A_DAY, 900),
        Range("30d", gettext_lazy("30 days"), 30 * A_DAY, 3600),
        Range("90d", gettext_lazy("90 days"), 90 * A_DAY, 3600),
        Range("1y", gettext_lazy("1 year"), 365 * A_DAY, 3600),
        Range("2y", gettext_lazy("2 years"), 730 * A_DAY, 3600),
    )
}
DEFAULT = RANGES["1h"]


class WrongRange(WrongMoment):
    """A stretch that cannot be shown; why: a sentence for the reader."""

    def __init__(self, name: str, text: str, why: str) -> None:
        super().__init__(name, text)
        self.why = why


class Window(NamedTuple):
    """A stretch that is shown. choice: None where `from` says where it begins; live: it ends now and goes on."""

    start: datetime
    end: datetime
    choice: Range | None
    live: bool

    @property
    def length(self) -> timedelta:
        """From start to end."""
        return self.end - self.start

    @property
    def mark(self) -> int:
        """Seconds between two marks of its ruler."""
        return next(mark for mark in MARKS if self.length.total_seconds() <= mark * MOST_MARKS)

    @property
    def refresh(self) -> int:
        """Seconds until it is worth fetching again, while it is live."""
        like = (choice for choice in RANGES.values() if choice.seconds >= self.length.total_seconds())
        return next(like, RANGES["2y"]).refresh

    @property
    def address(self) -> str:
        """What an address says to show it, without the question mark; of a live one: always up to now."""
        return urlencode(self.told, safe=":")

    @property
    def told(self) -> dict[str, str]:
        """The address's parameters."""
        if self.choice:
            end = {} if self.live else {"to": moments.written(self.end)}
            return {"range": self.choice.name, **end}
        return {"from": moments.written(self.start), **({} if self.live else {"to": moments.written(self.end)})}


def asked(query: Mapping[str, str]) -> Window:
    """Read `from` and `to`, or `range` (and its `to`); raises WrongMoment, and WrongRange where no such stretch is."""
    start, end, now = moments.read(query, "from"), moments.read(query, "to"), timezone.now().replace(microsecond=0)
    live = end is None or end >= now
    end = now if end is None or live else end.replace(microsecond=0)
    if start is None:
        return preset(query, end, live)
    start = start.replace(microsecond=0)
    if start >= end:
        raise WrongRange("from", query["from"], _("It has to be before the end, and in the past."))
    if end - start > MOST:
        raise WrongRange("from", query["from"], _("At most two years can be shown at once."))
    return Window(min(start, end - LEAST), end, None, live)


def preset(query: Mapping[str, str], end: datetime, live: bool) -> Window:
    """The address's choice of a length, up to that end."""
    choice = RANGES.get(query.get("range", ""), DEFAULT)
    return Window(end - timedelta(seconds=choice.seconds), end, choice, live)


def kept(query: Mapping[str, str], moment: datetime) -> dict[str, str]:
    """What of the timeline's address goes along to a moment: a free stretch moves with one that is not on it."""
    named = {name: query[name] for name in ("range", "from", "to") if query.get(name)}
    if "from" not in named:
        return named
    window = asked(query)
    if not window.start <= moment <= window.end:
        named |= around(moment, window.length).told
    return named


def around(moment: datetime, length: timedelta) -> Window:
    """A free stretch of that length with the moment in its middle, or as near to it as now allows."""
    now = timezone.now().replace(microsecond=0)
    end = min(now, moment.replace(microsecond=0) + length / 2)
    return Window(end - length, end, None, False)


def ways(window: Window) -> list[dict[str, Any]]:
    """The links to the stretches beside, around and in it: name, word, from and to; without from: no further."""
    half, now = window.length / 2, timezone.now().replace(microsecond=0)
    first = window.start - half > moments.EARLIEST
    return [
        _way("earlier", _("Earlier"), Window(window.start - half, window.end - half, None, False) if first else None),
        _way("out", _("Zoom out"), _zoomed(window, min(2 * window.length, WHOLE)) if window.length < WHOLE else None),
        _way("in", _("Zoom in"), _zoomed(window, max(half, LEAST)) if window.length > LEAST else None),
        _way("later", _("Later"), None if window.live else _ending(min(window.end + half, now), window.length)),
    ]


def _zoomed(window: Window, length: timedelta) -> Window:
    """A live one stays live; another one keeps its middle."""
    return _ending(window.end, length) if window.live else around(window.start + window.length / 2, length)


def _ending(end: datetime, length: timedelta) -> Window:
    return Window(end - length, end, None, end >= timezone.now().replace(microsecond=0))


def _way(name: str, word: str, window: Window | None) -> dict[str, Any]:
    told = window.told if window else {}
    return {"name": name, "word": word, "from": told.get("from"), "to": told.get("to")}


def marks(window: Window) -> list[datetime]:
    """The moments of the ruler's marks."""
    first = -(-int(window.start.timestamp()) // window.mark) * window.mark
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(window.end.timestamp()), window.mark)]
