"""The newest process tables, fetched and unpacked once a round, of so many servers at a time.

Of more servers than AT_MOST those are looked at first whose last turn is the longest ago: a fleet of 2,000 is looked
at in three rounds. Nothing is lost by that but nearness: how long something has been so is told by samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from alerts.evaluate.found import Stretch
from pmonitor.rows import fetched, fetched_as_bytes
from servers import states
from servers.process_lines import Lines

AT_MOST: Final = 700  # servers in one round
AT_ONCE: Final = 100  # servers whose packed tables are held in memory

HEARD = """SELECT n.server_id, s.state = %(silent)s FROM servers_newest n JOIN servers_server s ON s.id = n.server_id
    WHERE n.server_id = ANY(%(servers)s)
        AND (s.state = %(silent)s OR (n.received_at > %(after)s AND n.received_at <= %(until)s))
    ORDER BY n.server_id"""
TABLES: Final = """SELECT server_id, sampled_at, procs_total, facts->>'bootId', services_at IS NOT NULL, procs
    FROM servers_newest WHERE server_id = ANY(%s) AND received_at <= %s ORDER BY server_id"""


class Heard(NamedTuple):
    """Of which servers there is a new sample, and which are silent."""

    fresh: list[int]
    silent: set[int]


class Reported(NamedTuple):
    """A server's newest process table."""

    server: int
    at: datetime  # when it was sampled
    total: int  # processes there were, of which the table may have only some
    boot: str
    lists_services: bool
    lines: Lines


class Turns:
    """Whose turn it is: of the servers with something new, those that waited longest."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}  # a server -> the round it was looked at
        self._round = 0

    def take(self, servers: Sequence[int], most: int) -> list[int]:
        """At most so many of them, by their ids; who is taken has had their turn."""
        self._round += 1
        taken = sorted(servers, key=lambda server: (self._last.get(server, 0), server))[:most]
        self._last |= dict.fromkeys(taken, self._round)
        return sorted(taken)


def heard(servers: Sequence[int], stretch: Stretch) -> Heard:
    """What of these servers was heard in the stretch."""
    about = {"servers": list(servers), "silent": states.SILENT, "after": stretch.after, "until": stretch.until}
    rows = fetched(HEARD, about)
    return Heard([server for server, silent in rows if not silent], {server for server, silent in rows if silent})


def tables(servers: Sequence[int], until: datetime) -> Iterator[Reported]:
    """Their newest tables, of those that have none newer than that."""
    for first in range(0, len(servers), AT_ONCE):
        rows = fetched_as_bytes(TABLES, [list(servers[first : first + AT_ONCE]), until])
        for server, at, total, boot, lists, procs in rows:
            yield Reported(server, at, total, boot or "", lists, Lines(procs))
