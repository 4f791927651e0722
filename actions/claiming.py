"""The move queued → delivered in one statement, entry included: every poll of every waiting agent makes it.

Through the ORM it cost 3 round trips and 3 to 4 times the processor time, and stood between a click and its agent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from actions import audit, states, steady
from actions.models import Command
from pmonitor import rows
from servers.models import Server

COMMAND = rows.Columns(Command, "moved")
# A poll at the same time waits for the row, then finds it delivered; so does a cancel. The commit does not wait for the
# disk: a crash that loses it leaves the command queued, and its agent acts only after its acknowledgement, whose commit
# does wait and comes behind this one in the log.
TAKE = f"""
WITH waiting AS (
    SELECT id FROM actions_command
    WHERE server_id = %(server)s AND state = %(queued)s AND deliver_by > %(now)s AND created_at <= %(latest)s
    ORDER BY id LIMIT %(limit)s FOR UPDATE
), moved AS (
    UPDATE actions_command AS command
    SET state = %(delivered)s, delivered_at = %(now)s, lease_until = %(lease_until)s, deliveries = deliveries + 1
    FROM waiting WHERE command.id = waiting.id AND state = %(queued)s
    RETURNING command.*
), told AS (
    INSERT INTO actions_auditentry (at, event, actor, address, server_id, command_id, cmd, target, from_state,
        to_state, reason, facts)
    SELECT %(now)s, %(event)s, %(actor)s, %(address)s, server_id, id, cmd, target, %(queued)s, state, reason, '{{}}'
    FROM moved
)
SELECT {COMMAND}, set_config('synchronous_commit', 'off', true) FROM moved ORDER BY id
"""  # noqa: S608 - the names of the model's columns


def take(
    server: Server, *, actor: str, address: str | None, now: datetime, lease: timedelta, limit: int
) -> list[Command]:
    """The server's queued commands, oldest first, now delivered, each with its audit entry, and announced."""
    values = {
        "server": server.pk,
        "queued": states.QUEUED,
        "delivered": states.DELIVERED,
        "now": now,
        "latest": now + steady.SLACK,  # asked later than now: the clock was set back, and it may have waited for long
        "lease_until": now + lease,
        "limit": limit,
        "event": f"command.{states.DELIVERED}",
        "actor": actor,
        "address": address,
    }
    taken = [command for row in rows.every(TAKE, values) if (command := COMMAND.take(row))]
    for command in taken:
        audit.announce(command)
    return taken
