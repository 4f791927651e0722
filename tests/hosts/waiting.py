"""Waiting for what must come true in a while, and saying what was seen instead."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.patience import PATIENCE

Seen = TypeVar("Seen")
_PAUSE_SEC, _MOST_PAUSE_SEC = 0.03, 0.3


def eventually(look: Callable[[], Seen], wanted: Callable[[Seen], bool], within: float = 10) -> Seen:
    """Look again and again until what is seen is wanted; it, or AssertionError.

    `within`: seconds it takes where the machine has nothing else to do; many times that is given.
    """
    deadline, pause = time.monotonic() + PATIENCE * within, _PAUSE_SEC
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} x {within:g} s; last seen: {seen!r}"
        time.sleep(pause)
        pause = min(1.2 * pause, _MOST_PAUSE_SEC)  # what is looked at works, too
    return seen
