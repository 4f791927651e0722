"""The way in, to queued, in one statement: command, audit entry and NOTIFY, which commit or vanish together.

Through the ORM it was a savepoint and six round trips, and stood between a click and its agent as the claim did.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from actions.models import AuditEntry, Command

COMMAND = [field for field in Command._meta.concrete_fields if not field.primary_key]
ENTRY = [field for field in AuditEntry._meta.concrete_fields if not field.primary_key and field.name != "command"]


def _names(fields: list[Any]) -> str:
    return ", ".join(f'"{field.column}"' for field in fields)


def _places(fields: list[Any]) -> str:
    return ", ".join(["%s"] * len(fields))


# The one conflict there can be is with the service's active command. Of two that come together the second waits here
# for the first, and then makes nothing. The agent is woken by the commit, so it finds the command when it looks.
QUEUE = f"""
WITH made AS (
    INSERT INTO actions_command ({_names(COMMAND)}) VALUES ({_places(COMMAND)})
    ON CONFLICT DO NOTHING
    RETURNING id, server_id
), told AS (
    INSERT INTO actions_auditentry (command_id, {_names(ENTRY)}) SELECT id, {_places(ENTRY)} FROM made
)
SELECT id, pg_notify(%s, server_id::text) FROM made
"""  # noqa: S608 - the names of the models' columns


def put(command: Command, entry: AuditEntry, channel: str) -> bool:
    """Insert the command with its entry, both still unsaved, and wake its agent; False: the service has one at work."""
    values = [*_values(command, COMMAND), *_values(entry, ENTRY), channel]
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, values)
        made = cursor.fetchone()
    if made is None:
        return False
    command.pk = entry.command_id = made[0]
    command._state.adding, command._state.db = False, connection.alias
    return True


def _values(row: models.Model, fields: list[Any]) -> list[Any]:
    """As save() would write them: with the models' defaults, adapted to the database."""
    return [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
