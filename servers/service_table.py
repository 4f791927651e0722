"""A server's services as its agent last listed them: replaced as a set, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection

from servers.wire import Service

# In the order of the table's columns and of the protocol's names; a unit that did not change is not written.
REPLACE = """
WITH listed AS (
    SELECT name, manager, left(coalesce(description, ''), 255) AS description, coalesce("loadState", '') AS load_state,
        "activeState" AS active_state, coalesce("subState", '') AS sub_state, "mainPid" AS main_pid,
        "startTicks" AS start_ticks, "nRestarts" AS n_restarts, coalesce(result, '') AS result, since,
        "memMB" AS mem_mb, tasks, coalesce("unitFileState", '') AS unit_file_state, verbs,
        can
    FROM jsonb_to_recordset(%(services)s::jsonb) AS listed (name text, manager text, description text,
        "loadState" text, "activeState" text, "subState" text, "mainPid" integer, "startTicks" bigint,
        "nRestarts" integer, result text, since timestamptz, "memMB" float8, tasks integer, "unitFileState" text,
        verbs jsonb, can jsonb)
), gone AS (
    DELETE FROM servers_service WHERE server_id = %(server)s AND name NOT IN (SELECT name FROM listed)
), dated AS (
    UPDATE servers_newest SET services_at = %(at)s WHERE server_id = %(server)s
)
INSERT INTO servers_service AS s (server_id, name, manager, description, load_state, active_state, sub_state, main_pid,
    start_ticks, n_restarts, result, since, mem_mb, tasks, unit_file_state, verbs, can)
SELECT %(server)s, listed.* FROM listed
ON CONFLICT (server_id, name) DO UPDATE SET (manager, description, load_state, active_state, sub_state, main_pid,
    start_ticks, n_restarts, result, since, mem_mb, tasks, unit_file_state, verbs, can) = (excluded.manager,
    excluded.description, excluded.load_state, excluded.active_state, excluded.sub_state, excluded.main_pid,
    excluded.start_ticks, excluded.n_restarts, excluded.result, excluded.since, excluded.mem_mb, excluded.tasks,
    excluded.unit_file_state, excluded.verbs, excluded.can)
WHERE (s.manager, s.description, s.load_state, s.active_state, s.sub_state, s.main_pid, s.start_ticks, s.n_restarts,
    s.result, s.since, s.mem_mb, s.tasks, s.unit_file_state, s.verbs, s.can) IS DISTINCT FROM (excluded.manager,
    excluded.description, excluded.load_state, excluded.active_state, excluded.sub_state, excluded.main_pid,
    excluded.start_ticks, excluded.n_restarts, excluded.result, excluded.since, excluded.mem_mb, excluded.tasks,
    excluded.unit_file_state, excluded.verbs, excluded.can)
"""


def replace(server_id: int, services: Sequence[Service], listed_at: datetime) -> None:
    """Make the server's services exactly these, listed at that moment; of two with one name the last one counts."""
    named = {service.name: service for service in services}
    values: dict[str, int | str | datetime] = {
        "server": server_id,
        "services": msgspec.json.encode(list(named.values())).decode(),
        "at": listed_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(REPLACE, values)
