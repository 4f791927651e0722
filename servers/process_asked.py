"""What the page that finds processes was asked for: its form and its address, which are the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from servers import moments, process_query, process_search
from servers.process_query import Wanted

NOW, AT, BETWEEN = "now", "at", "between"
SPANS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}  # up to now
WHENS: Final = (NOW, *SPANS, AT, BETWEEN)
USUAL: Final = "cpu"
RANKS: Final = {"cpu": process_search.by_cpu, "mem": process_search.by_memory}
LONGEST: Final = timedelta(days=7)  # stretch of the past that is looked through at once
A_LITTLE: Final = timedelta(seconds=5)  # ahead of the hub a reader's clock may be


class Asked(NamedTuple):
    """A search: now, at a moment, or in a stretch (from, up to and without); errors: a sentence by the field's name."""

    q: str
    where: str
    when: str
    sort: str
    given: dict[str, str]  # at, from, to as they were given
    wanted: Wanted
    at: datetime | None
    stretch: tuple[datetime, datetime] | None
    errors: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether something is looked for, and nothing is wrong."""
        return bool(self.wanted.terms) and not self.errors

    @property
    def in_past(self) -> bool:
        """Whether it is not about now."""
        return self.when != NOW

    @property
    def days(self) -> bool:
        """Whether times of the stretch need their day."""
        return bool(self.stretch and self.stretch[1] - self.stretch[0] > timedelta(hours=12))

    @property
    def query(self) -> str:
        """The search as an address has it, with its stretch as it is now."""
        parts = {"q": self.q, "where": self.where}
        if self.at:
            parts["at"] = moments.written(self.at)
        elif self.stretch:
            parts |= dict(zip(("from", "to"), map(moments.written, self.stretch), strict=True))
        return urlencode(
            {
                name: value
                for name, value in (parts | {"sort": self.sort if self.sort != USUAL else ""}).items()
                if value
            }
        )


def read(query: Mapping[str, str], now: datetime) -> Asked:
    """Read an address; what is wrong is told in errors."""
    errors: dict[str, str] = {}
    given = {name: query.get(name, "").strip()[:60] for name in ("at", "from", "to")}
    when = query.get("when", "")
    if when not in WHENS:
        when = AT if given["at"] else BETWEEN if given["from"] else NOW
    wanted = _wanted(query.get("q", ""), when, errors)
    at = stretch = None
    if when == AT:
        at = _moment(given, "at", now, errors)
    elif when == BETWEEN:
        stretch = _stretch(_moment(given, "from", now, errors), _moment(given, "to", now, errors, now), errors)
    elif when in SPANS:
        stretch = now - SPANS[when], now
    sort = query.get("sort", "")
    where = query.get("where", "").strip()[:200].replace("\0", "")
    return Asked(
        query.get("q", "").strip()[:400].replace("\0", ""), where, when, sort if sort in RANKS else USUAL, given,
        wanted, at, stretch, errors,
    )  # fmt: skip


def _wanted(text: str, when: str, errors: dict[str, str]) -> Wanted:
    try:
        wanted = process_query.parse(text)
    except process_query.Wrong as wrong:
        errors["q"] = str(wrong)
        return Wanted()
    if when != NOW and wanted.of_services:
        errors["q"] = _("Which service a process is of is known only now; of the past, search its name.")
    return wanted


def _moment(
    given: Mapping[str, str], name: str, now: datetime, errors: dict[str, str], default: datetime | None = None
) -> datetime | None:
    try:
        moment = moments.read(given, name) or default
    except moments.WrongMoment:
        errors[name] = _("A date and time is expected here.")
        return None
    if moment is None:
        errors[name] = _("Choose a date and time.")
    elif moment > now + A_LITTLE:
        errors[name] = _("That is in the future.")
    elif moment < now - settings.KEPT["processes"]:
        errors[name] = _("Process tables are kept for %(days)s days.") % {"days": settings.KEPT["processes"].days}
    return moment


def _stretch(start: datetime | None, end: datetime | None, errors: dict[str, str]) -> tuple[datetime, datetime] | None:
    if start is None or end is None:
        return None
    if start >= end:
        errors.setdefault("to", _("This is not after the start."))
    elif end - start > LONGEST:
        errors.setdefault("to", _("At most %(days)s days can be searched at once.") % {"days": LONGEST.days})
    return start, end
