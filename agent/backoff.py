"""How long to wait before trying again: doubling to a cap, with full jitter, so that a fleet spreads its return."""

from __future__ import annotations

import random


class Backoff:
    """Seconds to wait after each failure in a row."""

    def __init__(self, first: float = 1.0, cap: float = 60.0) -> None:
        self._first = first
        self._cap = cap
        self._failures = 0

    def next(self) -> float:
        """One more failure: a random wait below the doubled bound."""
        bound = min(self._cap, self._first * 2 ** min(self._failures, 16))
        self._failures += 1
        return random.uniform(0.1 * self._first, bound)  # noqa: S311 - spreads load, keeps no secret

    def reset(self) -> None:
        """A success: the next failure waits shortly again."""
        self._failures = 0
