"""Stores a report in one transaction; and only then the agent is answered.

Two statements, three with services, four when something happened to those.

Where a sample is placed: at received - (sentAt - ts) when the report says sentAt, else at its receipt. An age below
zero, or longer than raw host readings are kept, comes from a clock that was set in between: such a sample is placed
at its receipt. So nothing is ever placed in the future or where it would be dropped at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from psycopg import errors

from pmonitor import live
from servers import (
    changes,
    history,
    partitions,
    proctable,
    rawtables,
    rollup,
    service_events,
    service_history,
    service_table,
)
from servers.models import Newest, Server
from servers.service_events import Span
from servers.wire import Load, Proc, Report

STORED, LATE, DUPLICATE = "stored", "late", "duplicate"
LISTENERS: list[Callable[[Server, Report, datetime, bool], None]] = []  # of other apps; see heard()
REMEMBERED = 32  # the last reports, by the agent's ts, that a repeated one is known by
LONGEST_GAP = timedelta(days=1)  # what happened before a longer silence is placed within so long before its end
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LEAST = 1e-30  # smaller readings are none: a column of 4 bytes refuses them
FACTS = (
    "hostname", "os", "kernel", "cpu_count", "version", "boot_id", "boot_time", "ticks_per_sec", "run_id",
    "managers", "time_zone", "allow", "features",
)  # fmt: skip

# Locks the server's newest row, so that its reports are stored one after the other.
# Its process table is what the next one may be stored as a change of (rawtables.py): as long as a raw row has it.
LOCK = """SELECT seq, sampled_at, recent_ts, services_at, facts->>'bootId', raw_ts,
    CASE WHEN raw_ts IS NOT NULL AND sampled_at >= %(chain)s THEN procs END FROM servers_newest
    WHERE server_id = %(server)s FOR UPDATE"""
READING = """reading AS (
    INSERT INTO servers_hostreading VALUES (%(server)s, %(sampled)s, %(ts)s, %(total)s, %(cpu)s, %(mem_used_mb)s,
        %(mem_total_mb)s, %(swap_used_mb)s, %(swap_total_mb)s, %(load1)s, %(load5)s, %(load15)s, %(disk_read_bps)s,
        %(disk_write_bps)s, %(net_rx_bps)s, %(net_tx_bps)s))"""
SNAPSHOT = """snapshot AS (
    INSERT INTO servers_processsnapshot VALUES (%(server)s, %(sampled)s, %(ts)s, %(total)s, %(raw)s))"""
ALIVE = """alive AS (
    UPDATE servers_server SET state = 'up', state_since = %(received)s
    WHERE id = %(server)s AND state <> 'up' RETURNING id)"""
SEEN = "received_at = %(received)s, interval_sec = %(interval)s, seq = seq + 1, recent_ts = %(recent)s"
NEWER = """, sampled_at = %(sampled)s, cpu = %(cpu)s, mem_used_mb = %(mem_used_mb)s, mem_total_mb = %(mem_total_mb)s,
    load1 = %(load1)s, uptime_sec = %(uptime)s, procs_total = %(total)s, top_name = %(top_name)s, top_cpu = %(top_cpu)s,
    readings = %(readings)s, facts = facts || %(facts)s, procs = %(procs)s, raw_ts = %(raw_ts)s"""
WRITE = """WITH {raw}
    UPDATE servers_newest SET {values} WHERE server_id = %(server)s RETURNING (SELECT count(*) FROM alive)"""


class Stored(NamedTuple):
    """How a report ended: stored, late (an older sample: history only) or duplicate; where its sample was placed."""

    outcome: str
    sampled_at: datetime
    interval_sec: float  # what the agent is asked to report at


class Gone(Exception):
    """The server was deleted while its report came in."""


class _Row(NamedTuple):
    seq: int
    sampled_at: datetime
    recent_ts: list[float]
    services_at: datetime | None
    boot_id: str | None
    raw_ts: float | None  # of the raw row that holds this table; None: there is none to build on
    procs: bytes | None

    @property
    def base(self) -> changes.Base | None:
        """The raw row that the next may build on."""
        return None if self.raw_ts is None else changes.Base(self.sampled_at, self.raw_ts)


def store(server: Server, report: Report, received_at: datetime, address: str = "") -> Stored:
    """Store a server's report, received at that moment by the hub's clock from that address; raises Gone."""
    sampled_at = placed(report, received_at)
    try:
        return _store(server, report, received_at, sampled_at, address)
    except IntegrityError as error:
        if isinstance(error.__cause__, errors.ForeignKeyViolation):
            raise Gone from error
        if not isinstance(error.__cause__, errors.CheckViolation):
            raise
    partitions.ensure(sampled_at)  # the worker that makes them ahead was away
    return _store(server, report, received_at, sampled_at, address)


def placed(report: Report, received_at: datetime) -> datetime:
    """Where the report's sample belongs by the hub's clock; see the module's head."""
    if report.sent_at is None:
        return received_at
    age = timedelta(seconds=report.sent_at - report.ts)
    believed = timedelta(0) <= age < history.LEVELS[history.HOST_READINGS].kept
    return received_at - age if believed else received_at


def _store(server: Server, report: Report, received_at: datetime, sampled_at: datetime, address: str) -> Stored:
    interval = settings.REPORT_INTERVAL_SEC
    with transaction.atomic():
        row = _locked(server.pk, sampled_at) or _first(server.pk, sampled_at)
        if report.ts in row.recent_ts:
            return Stored(DUPLICATE, sampled_at, interval)
        late = sampled_at < row.sampled_at <= received_at  # a row of the future was placed by a clock since corrected
        snapshot = _is_kept(history.PROCESSES, sampled_at, received_at)
        values = (
            _values(report, sampled_at)
            | _tables(report, sampled_at, None if late else row)
            | {
                "server": server.pk,
                "raw_ts": report.ts if snapshot else None,
                "received": received_at,
                "interval": interval,
                "recent": msgspec.json.encode([report.ts, *row.recent_ts[: REMEMBERED - 1]]).decode(),
                "facts": _facts(report, address),
            }
        )
        came_up = _write(values, late, snapshot)
        if received_at - sampled_at > rollup.LATE:
            rollup.note_late(server.pk, sampled_at)
        listed = report.services is not None and not late
        if listed:
            _list(server.pk, report, row, sampled_at)
        if report.hostname and report.hostname != server.hostname and not late:
            Server.objects.filter(pk=server.pk).update(hostname=report.hostname)
        if report.leases is not None:
            heard(server, report, sampled_at, late)
        _announce(server, came_up, listed, row.seq == 0 or (listed and row.services_at is None))
    return Stored(LATE if late else STORED, sampled_at, interval)


def heard(server: Server, report: Report, sampled_at: datetime, late: bool) -> None:
    """What a report says besides readings is for those who listen, in its transaction; late: an older sample."""
    for listen in LISTENERS:
        listen(server, report, sampled_at, late)


def _list(server_id: int, report: Report, row: _Row, sampled_at: datetime) -> None:
    """Replace the services, and record what happened to them since the list before, where there was one."""
    changes = service_table.replace(server_id, report.services or [], sampled_at)
    if row.services_at is None:
        return
    ahead = datetime.fromtimestamp(report.ts, UTC) - sampled_at
    span = Span(max(row.services_at, sampled_at - LONGEST_GAP), sampled_at, ahead)
    booted = None not in (report.boot_id, row.boot_id) and report.boot_id != row.boot_id
    service_history.record(server_id, service_events.events(changes, span, booted))


def _locked(server_id: int, sampled_at: datetime) -> _Row | None:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, {"server": server_id, "chain": rawtables.chain_start(sampled_at)})
        found = cursor.fetchone()
    return found and _Row(found[0], found[1], msgspec.json.decode(found[2]), *found[3:])


def _first(server_id: int, sampled_at: datetime) -> _Row:
    """The first report makes the row; of two first ones the second waits here for the other's."""
    empty = Newest(server_id=server_id, received_at=NEVER, sampled_at=NEVER)
    Newest.objects.bulk_create([empty], ignore_conflicts=True)
    row = _locked(server_id, sampled_at)
    if row is None:
        raise Gone
    return row


def _write(values: dict[str, Any], late: bool, snapshot: bool) -> bool:
    """Write the raw rows and the newest values; returns whether this brought the server up."""
    raw = ", ".join([READING, SNAPSHOT, ALIVE] if snapshot else [READING, ALIVE])
    with connection.cursor() as cursor:
        cursor.execute(WRITE.format(raw=raw, values=SEEN if late else SEEN + NEWER), values)
        written = cursor.fetchone()
    return bool(written and written[0])


def _values(report: Report, sampled_at: datetime) -> dict[str, Any]:
    top = max(report.procs, key=_cpu, default=None)
    return _readings(report.load) | {
        "sampled": sampled_at,
        "ts": report.ts,
        "uptime": report.uptime_sec,
        "total": len(report.procs) if report.procs_total is None else report.procs_total,
        "top_name": top.name if top else "",
        "top_cpu": top.cpu if top else None,
        "readings": msgspec.json.encode(report.load).decode(),
    }


def _tables(report: Report, sampled_at: datetime, row: _Row | None) -> dict[str, bytes]:
    """The process table whole, and as the raw row has it: as a change of the row's, if that can be."""
    table = proctable.table_of(report.procs)
    whole = proctable.pack_table(table)
    base, before = (row.base, row.procs) if row else (None, None)
    return {"procs": whole, "raw": rawtables.packed(table, whole, sampled_at, base, before or b"")}


def _readings(load: Load) -> dict[str, float | None]:
    given = msgspec.structs.asdict(load)
    return {name: 0.0 if value is not None and value < LEAST else value for name, value in given.items()}


def _cpu(proc: Proc) -> float:
    return proc.cpu or 0.0


def _facts(report: Report, address: str) -> str:
    """What the report says of the server, as JSON; what it leaves out stays as it was."""
    wire_names = report.__struct_encode_fields__
    names = dict(zip(report.__struct_fields__, wire_names, strict=True))
    facts = {names[fact]: getattr(report, fact) for fact in FACTS if getattr(report, fact) is not None}
    return msgspec.json.encode(facts | ({"address": address} if address else {})).decode()


def _is_kept(table: str, sampled_at: datetime, now: datetime) -> bool:
    return sampled_at > now - history.LEVELS[table].kept


def _announce(server: Server, came_up: bool, listed: bool, first: bool) -> None:
    topics = [f"row:{server.pk}", f"server:{server.pk}"]
    if listed:
        topics.append(f"services:{server.pk}")
    if came_up:
        topics.append("fleet:all")
    if first and server.enrolled_with:
        topics.append(f"enrol:{server.enrolled_with}")
    live.announce(*topics)
