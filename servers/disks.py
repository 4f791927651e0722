"""How full a server's filesystems are: as last measured, and every five minutes of the past.

An agent measures them once a minute; a report without them says nothing of them and costs nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection

from servers import history
from servers.wire import Disk

# Of each five minutes the first measurement stays; a late one fills a gap and is not the newest.
RECORD = f"""
WITH newer AS (
    UPDATE servers_newest SET disks = %(disks)s::jsonb, disks_at = %(at)s
    WHERE server_id = %(server)s AND (disks_at IS NULL OR disks_at <= %(at)s)
)
INSERT INTO {history.DISKS} (server_id, mount, at, used_mb, total_mb)
SELECT DISTINCT ON (mount) %(server)s, mount, %(at)s, "usedMB", "totalMB"
FROM jsonb_to_recordset(%(disks)s::jsonb) AS told (mount text, "usedMB" float8, "totalMB" float8)
WHERE NOT EXISTS (SELECT FROM {history.DISKS} there WHERE there.server_id = %(server)s AND there.mount = told.mount
    AND there.at >= date_bin('5 minutes', %(at)s, 'epoch')
    AND there.at < date_bin('5 minutes', %(at)s, 'epoch') + interval '5 minutes')
ON CONFLICT DO NOTHING
"""  # noqa: S608  a name of our own


def hear(server_id: int, disks: Sequence[Disk], at: datetime) -> None:
    """Keep what a report says of the server's filesystems, measured about that moment. In its transaction."""
    values: dict[str, int | str | datetime] = {
        "server": server_id,
        "disks": msgspec.json.encode(disks).decode(),
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD, values)
