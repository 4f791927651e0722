"""Moments as addresses hold them: `?at=2026-11-22T01:12:40Z`, or seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)  # so that a while before it can still be said
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_epoch = re.compile(r"\d{1,12}(\.\d{1,6})?")


class WrongMoment(ValueError):
    """A parameter that names no moment: which, and what it held."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: expected a time such as 2026-01-31T12:00:00Z or seconds since 1970, got {text!r}")
        self.name, self.text = name, text


class Asked(NamedTuple):
    """What an address asks for: the moment, the one to compare it with (None: now), where the timeline ends."""

    at: datetime
    beside: datetime | None
    end: datetime | None


def asked(query: Mapping[str, str]) -> Asked | None:
    """Read `at`, `with` and `to`; None where `at` is not given: now. Raises WrongMoment."""
    at = read(query, "at")
    return Asked(at, read(query, "with"), read(query, "to")) if at else None


def read(query: Mapping[str, str], name: str) -> datetime | None:
    """The moment a parameter names, None where it is empty or not there; without a zone it is UTC."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        found = _parsed(text)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or not EARLIEST <= found < LATEST:
        raise WrongMoment(name, text[:60])
    return found


def written(moment: datetime) -> str:
    """The moment for an address: in UTC, rounded up to the millisecond so that what was sampled then is found."""
    whole = datetime.fromtimestamp(0, UTC) - (datetime.fromtimestamp(0, UTC) - moment) // MILLISECOND * MILLISECOND
    return whole.isoformat(timespec="milliseconds" if whole.microsecond else "seconds").replace("+00:00", "Z")


def _parsed(text: str) -> datetime:
    if _epoch.fullmatch(text) and text.isascii():
        return datetime.fromtimestamp(float(text), UTC)
    found = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of the zone arrives as a space
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
