"""On which servers a rule's condition holds now, of kinds whose past nobody keeps; by the finder of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from alerts.evaluate import finders
from alerts.evaluate.found import OVER, Aim, Fresh, Stretch
from alerts.models import Rule
from pmonitor.rows import fetched
from servers import states

EPOCH = datetime.fromtimestamp(0, UTC)
HEARD = """SELECT newest.server_id, newest.sampled_at FROM servers_newest newest
    JOIN servers_server server ON server.id = newest.server_id
    WHERE newest.server_id = ANY(%(servers)s) AND server.state = %(up)s AND newest.sampled_at <= %(now)s"""


class Holds(NamedTuple):
    """The servers on which it holds, of so many that are heard of; others tell nothing."""

    servers: list[int]
    heard: int


def holding(rule: Rule, servers: Sequence[int], now: datetime) -> Holds:
    """How a rule, which need not be saved, stands now: whether it is over, however short a time."""
    rows = fetched(HEARD, {"servers": list(servers), "up": states.UP, "now": now})
    heard = [Fresh(server, EPOCH, at) for server, at in rows]
    aim = Aim(rule, [one.server for one in heard])
    found = finders.FINDERS[rule.kind]([aim], Stretch(EPOCH, now, heard), [])
    return Holds(sorted({seen.server for seen in found if seen.level == OVER}), len(heard))
