"""Searches processes of the past a part of the servers at a time, so that what is found shows as it is found.

Nothing is kept between two parts: the page asks for the next one with the last server of the one before. So a reader
who stops, or goes away, has nothing more done for him, and any web process may answer.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from django.utils.safestring import SafeString

from servers import process_lives, process_search, process_search_rows
from servers.past import WITHIN
from servers.process_asked import RANKS, Asked
from servers.process_search import Gathered
from servers.process_search_rows import Place

PART_SEC: Final = 0.5  # after that, no further server is begun in a part
AT_ONCE: Final = 20  # servers whose tables of a moment are held in memory
SHOWN: Final = 500  # rows a page carries
SEARCHES: Final = 2  # at once, in a web process; each keeps a processor busy
WAIT_SEC: Final = 3.0  # for those
_places = threading.BoundedSemaphore(SEARCHES)


class Busy(Exception):
    """Too many searches are under way in this process."""


class So(NamedTuple):
    """How far a search has come: the last server, processes found, on how many servers, rows shown, without a table."""

    after: int = 0
    found: int = 0
    servers: int = 0
    shown: int = 0
    untold: int = 0


class Part(NamedTuple):
    """What one part found, how far the search is then, and how many servers are looked through out of how many."""

    rows: SafeString
    so: So
    done: int
    of: int

    @property
    def ended(self) -> bool:
        """Whether there is no further part."""
        return self.done >= self.of


@contextmanager
def place() -> Iterator[None]:
    """While this holds, one of the few searches is under way; raises Busy."""
    if not _places.acquire(timeout=WAIT_SEC):
        raise Busy
    try:
        yield
    finally:
        _places.release()


def read(query: Mapping[str, str]) -> So:
    """How far a search has come, out of an address."""
    return So(*(_number(query.get(name, "")) for name in So._fields))


def part(asked: Asked, so: So, places: Mapping[int, Place]) -> Part:
    """Look through some servers more, at first few so that the page shows; places: all that are searched."""
    ids = sorted(places)
    first = done = bisect_right(ids, so.after)
    began, seconds, rows = time.monotonic(), PART_SEC if so.after else 0, []
    while done < len(ids) and (done == first or time.monotonic() - began < seconds):
        step = ids[done : done + (AT_ONCE if asked.at else 1)]
        html, so = _looked_through(asked, so, step, places)
        rows.append(html)
        done += len(step)
    return Part(SafeString("".join(rows)), so, done, len(ids))


def _looked_through(asked: Asked, so: So, ids: list[int], places: Mapping[int, Place]) -> tuple[SafeString, So]:
    """The rows of these servers, and how far the search is after them."""
    left = max(0, SHOWN - so.shown)
    if asked.at:
        gathered = Gathered(RANKS[asked.sort], left)
        told = process_search.at(ids, asked.at, WITHIN, asked.wanted, gathered)
        hits, untold = gathered.hits, so.untold + len(ids) - len(told)
        after = So(ids[-1], so.found + gathered.total, so.servers + len(gathered.on), so.shown + len(hits), untold)
        return process_search_rows.of_hits(hits, places, asked.at), after
    if asked.stretch is None:
        raise ValueError("a search of now has no parts")
    (server_id,) = ids
    lives = process_lives.lives(server_id, asked.wanted, *asked.stretch)
    if asked.sort == "mem":
        lives.sort(key=lambda life: -life.mem_mb)
    shown = lives[:left]
    after = So(server_id, so.found + len(lives), so.servers + bool(lives), so.shown + len(shown), so.untold)
    return process_search_rows.of_lives(shown, places[server_id], asked.days), after


def _number(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else 0
