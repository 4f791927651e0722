"""How a server's state changed, as it is kept; written where it changes: presence.py, report_rows.py, ingest.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from servers.history import HOST_MINUTES, HOST_READINGS
from servers.models import HubAbsence, StateChange
from servers.spells import REBOOTED, Away, Change, Spell, filled, spells, unseen

# Of the states the one that the stretch begins in, too.
CHANGES = """
SELECT at, state FROM servers_statechange WHERE server_id = %(server)s AND at < %(end)s AND at >= coalesce(
    (SELECT max(at) FROM servers_statechange
        WHERE server_id = %(server)s AND state <> %(rebooted)s AND at <= %(start)s), '-infinity')
ORDER BY id"""
# The first and last seconds of a spell are of the reports around it: one is sampled before it comes.
HEARD = f"""
WITH heard AS (
    SELECT DISTINCT minute FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS spell (start, until),
    LATERAL (
        SELECT at AS minute FROM {HOST_MINUTES}
        WHERE server_id = %(server)s AND at >= spell.start AND at < spell.until - interval '75 seconds'
        UNION ALL SELECT date_bin('1 minute', sampled_at, 'epoch') FROM {HOST_READINGS}
        WHERE server_id = %(server)s AND sampled_at > spell.start + interval '15 seconds'
        AND sampled_at < spell.until - interval '15 seconds'
    ) AS seen
)
SELECT min(minute), max(minute) + interval '1 minute'
FROM (SELECT minute, minute - row_number() OVER (ORDER BY minute) * interval '1 minute' AS run FROM heard) AS minutes
GROUP BY run ORDER BY 1"""  # noqa: S608  names of our own


class States(NamedTuple):
    """A stretch of a server's life: its spells without a gap, and when it was booted."""

    spells: list[Spell]
    boots: list[datetime]


def of(server_id: int, start: datetime, end: datetime) -> States:
    """A server's states in a stretch of time; two queries, and one where there is something that could be filled."""
    with connection.cursor() as cursor:
        cursor.execute(CHANGES, {"server": server_id, "start": start, "end": end, "rebooted": REBOOTED})
        changes = [Change(*row) for row in cursor.fetchall()]
    away = [Away(one.start, one.end, one.why) for one in HubAbsence.objects.filter(end__gt=start, start__lt=end)]
    found = spells((change for change in changes if change.state != REBOOTED), away, start, end)
    if waiting := unseen(found):
        found = filled(found, _heard(server_id, waiting))
    return States(found, [at for at, state in changes if state == REBOOTED and at >= start])


def note_boot(server_id: int, uptime_sec: float | None, before: datetime, sampled_at: datetime) -> None:
    """A report tells another boot than the one before: record when that was, in the report's transaction."""
    began = sampled_at if uptime_sec is None else sampled_at - min(timedelta(seconds=uptime_sec), sampled_at - before)
    StateChange.objects.create(server_id=server_id, at=min(began, sampled_at), state=REBOOTED)


def _heard(server_id: int, waiting: Sequence[Spell]) -> list[tuple[datetime, datetime]]:
    """Runs of minutes in which there is a sample, within these spells."""
    values: dict[str, Any] = {"starts": [one.start for one in waiting], "ends": [one.end for one in waiting]}
    with connection.cursor() as cursor:
        cursor.execute(HEARD, values | {"server": server_id})
        return [(start, end) for start, end in cursor.fetchall()]
