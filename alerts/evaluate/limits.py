"""How a measured value stands to a rule's limits."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from alerts.evaluate.found import BETWEEN, OVER, UNDER
from alerts.models import Rule

Sense = Callable[[float, float], bool]
ABOVE: Final[Sense] = operator.gt
BELOW: Final[Sense] = operator.lt
REACHED: Final[Sense] = operator.ge  # of what is counted in a window: "3 times" is over at the third


def level_of(rule: Rule, value: float, over: Sense = ABOVE) -> str:
    """OVER past the limit, BETWEEN past the clear limit only, else UNDER; over: which side of them is the wrong one."""
    limit = rule.limit or 0.0
    if over(value, limit):
        return OVER
    clear = limit if rule.clear_limit is None else rule.clear_limit
    return BETWEEN if over(value, clear) else UNDER
