"""By how much an agent's clock differs from the hub's: received - sentAt, the least of the last reports.

Each such difference is the skew and the time that the report took; the report that took least tells the skew best.
Samples are placed by the age that the agent's own clock gives them (ingest.py), so the skew moves none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from pmonitor.templatetags import show
from servers.models import Newest

KEPT = 8  # reports
WORTH_SAYING = 5.0  # seconds


def next_skews(skews: Sequence[float], received_at: datetime, sent_at: float | None) -> list[float]:
    """The last differences in seconds, the newest first, with that of another report, if it says when it was sent."""
    if sent_at is None:
        return list(skews)
    return [round(received_at.timestamp() - sent_at, 3), *skews[: KEPT - 1]]


def skew_of(newest: Newest | None) -> float | None:
    """Seconds by which the agent's clock is behind the hub's, below zero: ahead; None: its reports do not tell."""
    return min(newest.skews, default=None) if newest else None


def words(skew: float | None) -> str:
    """How the agent's clock goes: "12 s behind"; empty where that is not known."""
    if skew is None:
        return ""
    if abs(skew) < 1:
        return _("right to the second")
    count, unit = show.span_words(abs(skew))
    span = f"{show.plain(count)} {unit}"
    return _("%(span)s behind") % {"span": span} if skew > 0 else _("%(span)s ahead") % {"span": span}


def warning(newest: Newest | None) -> str:
    """The same for lists, where only a clock that is far out is worth a word."""
    skew = skew_of(newest)
    return _("clock %(how)s") % {"how": words(skew)} if skew is not None and abs(skew) > WORTH_SAYING else ""
