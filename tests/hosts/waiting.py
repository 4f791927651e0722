"""Waiting for what must come true in a while, and saying what was seen instead."""

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen], wanted: Callable[[Seen], bool], within: float = 10) -> Seen:
    """Look again and again until what is seen is wanted; it, or AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"not within {within:g} s; last seen: {seen!r}"
        time.sleep(0.03)
    return seen
