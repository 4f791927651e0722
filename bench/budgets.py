"""How a bench says whether what it measured is within the budget: one line each, which `python -m bench` gathers."""

from __future__ import annotations

import sys
from typing import NamedTuple, NoReturn

MARK, OVER = "budget:", 3  # how such a line begins; a bench's exit status when one is missed


class Budget(NamedTuple):
    """A measured value and the most it may be."""

    what: str
    measured: float
    most: float
    unit: str

    @property
    def held(self) -> bool:
        """Whether it is within."""
        return self.measured <= self.most

    def __str__(self) -> str:
        word = "held" if self.held else "MISSED"
        return f"{MARK} {self.what:44} {self.measured:9.2f} {self.unit:3} of {self.most:g} {self.unit:3} {word}"


def close(*budgets: Budget) -> NoReturn:
    """Say how each came out, and end the bench."""
    for budget in budgets:
        print(budget)
    sys.exit(0 if all(budget.held for budget in budgets) else OVER)
