"""One server by its id, in one statement whose SQL is ready: what every call about a server begins with."""

from __future__ import annotations

from typing import Any

from pmonitor import access, rows
from servers.models import Server

SERVER = rows.Columns(Server, "server")
# The rule is ServerQuerySet.visible_to's, which takes the ORM far longer to say than the database to follow.
VISIBLE = f"""
SELECT {SERVER} FROM servers_server server
WHERE server.agent_id = %(agent)s AND (
    %(admin)s
    OR EXISTS (SELECT FROM servers_scope scope WHERE scope.user_id = %(user)s AND scope.everything)
    OR server.group_id IN (
        SELECT servergroup_id FROM servers_scope_groups JOIN servers_scope scope ON scope.id = scope_id
        WHERE scope.user_id = %(user)s
    )
)
"""  # noqa: S608 - the names of the model's columns
BY_TOKEN = f"SELECT {SERVER} FROM servers_server server WHERE server.token_prefix = %(prefix)s"  # noqa: S608


def visible_to(user: Any, agent: str) -> Server | None:
    """The server whose agent has this id, where it is in the user's scope."""
    role = access.role_of(user)
    if role is None:
        return None
    return _found(VISIBLE, {"agent": agent.replace("\0", ""), "user": user.pk, "admin": role == access.ADMIN})


def with_token(prefix: str) -> Server | None:
    """The server whose token begins so; the caller proves the rest of it."""
    return _found(BY_TOKEN, {"prefix": prefix.replace("\0", "")})


def _found(sql: str, values: dict[str, Any]) -> Server | None:
    row = rows.one(sql, values)
    return SERVER.take(row) if row else None
