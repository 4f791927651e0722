"""What happened to services, as it is kept: written with the list that showed it, read newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from pmonitor import live
from servers import history
from servers import service_events as kinds
from servers.service_events import Event

RECORD = f"""
INSERT INTO {history.EVENTS} (server_id, name, at, kind, facts)
SELECT %(server)s, name, at, kind, facts
FROM jsonb_to_recordset(%(events)s::jsonb) AS sent (name text, at timestamptz, kind text, facts jsonb)
ON CONFLICT DO NOTHING
"""  # noqa: S608  a name of our own
NEWEST = f"SELECT name, at, kind, facts FROM {history.EVENTS} WHERE server_id = %(server)s"  # noqa: S608

BOOTED = f"""SELECT max(at) FROM {history.EVENTS} WHERE server_id = %(server)s AND name = '' AND kind = %(kind)s
    AND at > %(start)s AND at <= %(end)s"""  # noqa: S608
BESIDE = f"""
(SELECT DISTINCT ON (name) name, at, kind, facts FROM {history.EVENTS}
    WHERE server_id = %(server)s AND at <= %(at)s ORDER BY name, at DESC, kind)
UNION ALL (SELECT DISTINCT ON (name) name, at, kind, facts FROM {history.EVENTS}
    WHERE server_id = %(server)s AND at > %(at)s ORDER BY name, at, kind)
"""  # noqa: S608


def record(server_id: int, events: Sequence[Event]) -> None:
    """Keep these events of a server; nothing is asked of the database when there are none."""
    if not events:
        return
    sent = msgspec.json.encode([event._asdict() for event in events]).decode()
    with connection.cursor() as cursor:
        cursor.execute(RECORD, {"server": server_id, "events": sent})
    live.announce(f"happened:{server_id}", *{f"happened:{server_id}/{event.name}" for event in events if event.name})


def newest(
    server_id: int,
    limit: int,
    *,
    name: str | None = None,
    before: datetime | None = None,
    since: datetime | None = None,
) -> list[Event]:
    """A server's events, newest first, of one service when it is named; the server's boots are among each one's."""
    query = NEWEST
    values: dict[str, int | str | datetime] = {"server": server_id, "limit": limit}
    if name is not None:
        query, values = f"{query} AND name IN (%(name)s, '')", {**values, "name": name}
    if before is not None:
        query, values = f"{query} AND at < %(before)s", {**values, "before": before}
    if since is not None:
        query, values = f"{query} AND at >= %(since)s", {**values, "since": since}
    with connection.cursor() as cursor:
        cursor.execute(f"{query} ORDER BY at DESC, name, kind LIMIT %(limit)s", values)
        return _events(cursor.fetchall())


def beside(server_id: int, moment: datetime) -> list[Event]:
    """Of each service its last event up to a moment and its first one after, and the boots around it; one query."""
    with connection.cursor() as cursor:
        cursor.execute(BESIDE, {"server": server_id, "at": moment})
        return _events(cursor.fetchall())


def booted(server_id: int, start: datetime, end: datetime) -> datetime | None:
    """When the server was booted last, after start and up to end; None where it was not, as far as is known."""
    with connection.cursor() as cursor:
        cursor.execute(BOOTED, {"server": server_id, "kind": kinds.BOOTED, "start": start, "end": end})
        found: tuple[datetime | None] = cursor.fetchone()
    return found[0]


def _events(rows: list[tuple[Any, ...]]) -> list[Event]:
    return [Event(name, at, kind, msgspec.json.decode(facts)) for name, at, kind, facts in rows]
