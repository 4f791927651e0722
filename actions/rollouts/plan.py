"""Which servers go in which batch. Pure: no database, no clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2s
from typing import TypeVar

from actions.rollouts import states

MOST_SERVERS = 1_000
_BATCH = re.compile(r"([1-9][0-9]{0,3})(%?)")
T = TypeVar("T")


def is_batch_size(text: str) -> bool:
    """Whether it is a number of servers ("1", "4") or a share of them ("25%", 1 to 100)."""
    match = _BATCH.fullmatch(text)
    return match is not None and (not match[2] or int(match[1]) <= 100)


def size_of(batch: str, total: int) -> int:
    """How many servers at most go at a time: a share is rounded down, and is one server at least."""
    match = _BATCH.fullmatch(batch)
    if match is None:
        raise ValueError(f"no batch size: {batch!r}")
    number = int(match[1])
    return max(1, total * number // 100) if match[2] else number


def batches(items: Sequence[T], batch: str) -> list[list[T]]:
    """The items in their order, cut into batches; only the last one may be smaller."""
    size = size_of(batch, len(items))
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def ordered(names: Sequence[tuple[str, str]], order: str, listed: Sequence[str] = (), seed: int = 0) -> list[str]:
    """The agent ids of (host name, agent id) pairs in the order to go by.

    listed: ids as they were given, which "listed" keeps, the rest follows by name. seed: of "random", which it repeats.
    """
    by_name = [agent for _host, agent in sorted(names, key=lambda pair: (_natural(pair[0]), pair[1]))]
    if order == states.AS_LISTED:
        places = {agent: place for place, agent in enumerate(listed)}
        return sorted(by_name, key=lambda agent: places.get(agent, len(places)))
    if order == states.SHUFFLED:
        return sorted(by_name, key=lambda agent: blake2s(f"{seed}:{agent}".encode()).digest())
    return by_name


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Web-2 before web-10."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]+", name.lower())
    return [(0, int(part)) if part.isascii() and part.isdigit() else (1, part) for part in parts]
