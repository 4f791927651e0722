"""Days in the reader's words; the same few come hundreds of times on a page, so they are kept."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from django.utils import dateformat
from django.utils.translation import get_language, pgettext


def whole(day: date) -> str:
    """Sun 22 Nov 2026."""
    return _whole(day, get_language())


def short(day: date) -> str:
    """22 Nov."""
    return _short(day, get_language())


@lru_cache(maxsize=1000)
def _whole(day: date, _language: str | None) -> str:
    # Translators: Sun 22 Nov 2026, in Django's date format characters
    return dateformat.format(day, pgettext("date format", "D j M Y"))


@lru_cache(maxsize=1000)
def _short(day: date, _language: str | None) -> str:
    # Translators: 22 Nov, in Django's date format characters
    return dateformat.format(day, pgettext("date format", "j M"))
