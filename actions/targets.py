"""The service that a command is aimed at, and what guards services, in one statement whose SQL is ready."""

from __future__ import annotations

from typing import NamedTuple

from psycopg.types.json import Jsonb

from pmonitor import rows
from servers.models import Server, Service

SERVICE = rows.Columns(Service, "service")
# The service as ServiceQuerySet.named finds it; what is protected is there also where it is not.
AIM = f"""
SELECT ARRAY(SELECT ARRAY[pattern, kind] FROM actions_protectedunit ORDER BY pattern), {SERVICE}
FROM (SELECT) AS always LEFT JOIN LATERAL (
    SELECT * FROM servers_service
    WHERE server_id = %(server)s AND (name = %(name)s OR aliases @> %(alias)s)
    ORDER BY name <> %(name)s, name LIMIT 1
) AS service ON true
"""  # noqa: S608 - the names of the model's columns


class Target(NamedTuple):
    """The service as its agent lists it, by its own name or an alias; pattern and kind of all that is protected."""

    service: Service | None
    protected: list[list[str]]


def find(server: Server, name: str) -> Target:
    """What the hub knows of the server's service of this name."""
    clean = name.replace("\0", "")
    row = rows.one(AIM, {"server": server.pk, "name": clean, "alias": Jsonb([clean])})
    assert row is not None  # noqa: S101 - the outer join always gives a row
    protected = next(row)
    return Target(SERVICE.take(row), protected)
