"""A server's services as its agent last listed them: replaced as a set, in one statement that tells what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from servers.service_events import Change, Seen
from servers.wire import Service

# The table's columns and where each comes from: the report's fields by the protocol's names.
COLUMNS = {
    "name": ("name text", "name"),
    "manager": ("manager text", "manager"),
    "description": ("description text", "left(coalesce(description, ''), 255)"),
    "load_state": ('"loadState" text', "coalesce(\"loadState\", '')"),
    "active_state": ('"activeState" text', '"activeState"'),
    "sub_state": ('"subState" text', "coalesce(\"subState\", '')"),
    "main_pid": ('"mainPid" integer', '"mainPid"'),
    "start_ticks": ('"startTicks" bigint', '"startTicks"'),
    "n_restarts": ('"nRestarts" integer', '"nRestarts"'),
    "result": ("result text", "coalesce(result, '')"),
    "since": ("since timestamptz", "since"),
    "mem_mb": ('"memMB" float8', '"memMB"'),
    "tasks": ("tasks integer", "tasks"),
    "unit_file_state": ('"unitFileState" text', "coalesce(\"unitFileState\", '')"),
    "type": ("type text", "coalesce(type, '')"),
    "aliases": ("aliases jsonb", "aliases"),
    "triggered_by": ('"triggeredBy" jsonb', '"triggeredBy"'),
    "last_exit": ('"lastExit" text', "coalesce(\"lastExit\", '')"),
    "reloaded_at": ('"reloadedAt" timestamptz', '"reloadedAt"'),
    "reload_status": ('"reloadStatus" integer', '"reloadStatus"'),
    "verbs": ("verbs jsonb", "verbs"),
    "can": ("can jsonb", "can"),
}
VALUES = [column for column in COLUMNS if column != "name"]


def _each(prefix: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{prefix}{column}" for column in columns)


# A unit that did not change is not written. `was` sees the table as it is before this statement.
REPLACE = f"""
WITH listed AS (
    SELECT {", ".join(f"{source} AS {column}" for column, (_typed, source) in COLUMNS.items())}
    FROM jsonb_to_recordset(%(services)s::jsonb) AS sent ({", ".join(typed for typed, _source in COLUMNS.values())})
), was AS (
    SELECT {_each("", Seen._fields)} FROM servers_service WHERE server_id = %(server)s
), gone AS (
    DELETE FROM servers_service WHERE server_id = %(server)s AND name NOT IN (SELECT name FROM listed)
    RETURNING name
), dated AS (
    UPDATE servers_newest SET services_at = %(at)s WHERE server_id = %(server)s
), written AS (
    INSERT INTO servers_service AS s (server_id, {_each("", list(COLUMNS))})
    SELECT %(server)s, listed.* FROM listed
    ON CONFLICT (server_id, name) DO UPDATE SET ({_each("", VALUES)}) = ({_each("excluded.", VALUES)})
    WHERE ({_each("s.", VALUES)}) IS DISTINCT FROM ({_each("excluded.", VALUES)})
    RETURNING {_each("s.", Seen._fields)}
)
SELECT {_each("was.", Seen._fields)}, {_each("written.", Seen._fields)} FROM written LEFT JOIN was USING (name)
UNION ALL
SELECT {_each("was.", Seen._fields)}, {_each("nothing.", Seen._fields)}
FROM gone JOIN was USING (name) LEFT JOIN was AS nothing ON false
"""  # noqa: S608  names of our own


def replace(server_id: int, services: Sequence[Service], listed_at: datetime) -> list[Change]:
    """Make the server's services exactly these, listed at that moment, and tell what changed.

    Of two with one name the last one counts.
    """
    named = {service.name: service for service in services}
    values: dict[str, int | str | datetime] = {
        "server": server_id,
        "services": msgspec.json.encode(list(named.values())).decode(),
        "at": listed_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(REPLACE, values)
        return [_change(row) for row in cursor.fetchall()]


def _change(row: tuple[Any, ...]) -> Change:
    was, now = Seen(*row[: len(Seen._fields)]), Seen(*row[len(Seen._fields) :])
    return Change(was if was.name else None, now if now.name else None)
