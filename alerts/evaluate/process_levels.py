"""How what a rule means stands by a process table: of now, or of the past. Pure: no database, no clock."""

from __future__ import annotations

from typing import Final

from alerts.evaluate.found import NO_DATA
from alerts.evaluate.limits import ABOVE, BELOW, Sense, level_of
from alerts.models import Rule
from alerts.rules import kinds

ANY_NUMBER: Final = 10**9
EXACTLY: Final = 6  # decimals of a sum: it is the same in whichever order it is summed up
WRONG_SIDE: Final[dict[str, Sense]] = {kinds.MISSING: BELOW, kinds.TOO_MANY: ABOVE}


def of_count(rule: Rule, count: int, more: int) -> str:
    """The level of a number of processes, of which there may be some more; certain only where that is the same."""
    least, most = (level_of(rule, number, WRONG_SIDE[rule.kind]) for number in (count, count + more))
    return least if least == most else NO_DATA


def used(together: bool, most: float, total: float) -> float:
    """What is measured of processes: what one of them uses at most, or what all use."""
    return round(total, EXACTLY) if together else most
