"""When a rule fires and clears, as the machine wants it told: out of the rule's columns."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
from django.conf import settings

from alerts.evaluate.machine import Conditions
from alerts.models import Rule
from alerts.rules import kinds
from servers import watching

LOWER_IS_WORSE = (kinds.MISSING, kinds.DISK_FILLING)
# Looked at by the hub's clock, or measured now and then: that nothing was seen for a while says nothing.
WITHOUT_GAPS = (kinds.SILENT, kinds.REBOOTED, kinds.COMMAND_FAILED, kinds.DISK_USED, kinds.DISK_FILLING)
SELDOM = 4  # kinds other than readings may be looked at in turns: so many times longer is no gap


def params(rule: Rule) -> Any:
    """What the kind needs besides, as its struct of rules/kinds.py. Raises msgspec.ValidationError."""
    asked = msgspec.convert(rule.params, kinds.KINDS[rule.kind].params)
    if isinstance(asked, kinds.Reading) and asked.metric not in kinds.READINGS:
        raise msgspec.ValidationError(f"no such metric: {asked.metric}")
    return asked


def limit(rule: Rule) -> float:
    """The limit of a kind that has one. Raises msgspec.ValidationError."""
    if rule.limit is None:
        raise msgspec.ValidationError("limit is missing")
    return rule.limit


def of(rule: Rule) -> Conditions:
    """The rule's conditions. Raises msgspec.ValidationError."""
    asked = params(rule)
    if kinds.KINDS[rule.kind].unit is not None:
        limit(rule)
    return Conditions(
        for_sec=rule.for_sec,
        clear_for_sec=rule.clear_for_sec,
        k=rule.k,
        n=rule.n,
        lower_is_worse=rule.kind in LOWER_IS_WORSE or getattr(asked, "below", False),
        gap_sec=_gap(rule.kind),
    )


def single(value: float) -> float:
    """As the database keeps a reading, in four bytes: a limit must be as exact, or a value on it would be over it."""
    try:
        kept: tuple[float] = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return value
    return kept[0]


def _gap(kind: str) -> float | None:
    if kind in WITHOUT_GAPS:
        return None
    silent = settings.SILENT_AFTER_REPORTS * watching.usual()
    return silent if kind == kinds.READING else SELDOM * silent
