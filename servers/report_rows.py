"""The rows a report goes into: the statements that lock and write them, and the values out of a report.

A report's own statement is prepared, and has its values beside it; those of many reports are sent in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from django.db import connection
from psycopg import Cursor

from pmonitor.rows import fetched
from servers import changes, proctable, rawtables
from servers.models import Newest, Server
from servers.outlines import Base, Known, Outline, Remembered, busiest, outline_of
from servers.wire import Load, Proc, Report

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
ABOUT = timedelta(minutes=1)  # the same report, sent again, is placed by so much elsewhere at the most
LEAST = 1e-30  # smaller readings are none: a column of 4 bytes refuses them
FACTS = (
    "hostname", "os", "kernel", "cpu_count", "version", "boot_id", "boot_time", "ticks_per_sec", "run_id",
    "managers", "time_zone", "allow", "features",
)  # fmt: skip

# Locks the servers' newest rows, so that the reports of each are stored one after the other; always in one order.
LOCK = """SELECT n.server_id, n.seq, n.sampled_at, n.recent_ts, n.services_at, n.facts->>'bootId',
        s.hostname, s.token_hash, s.allowed_networks, n.skews, n.interval_sec, n.watched_until, n.raw_at, n.raw_ts
    FROM servers_newest n JOIN servers_server s ON s.id = n.server_id
    WHERE n.server_id = ANY(%(servers)s) ORDER BY n.server_id FOR UPDATE OF n"""
# The newest raw row's process table, which the next one is stored as a change of.
RAW_TABLES = """SELECT server_id, raw_at, raw_ts, coalesce(raw_procs, procs) FROM servers_newest
    WHERE server_id = ANY(%s) AND raw_ts IS NOT NULL"""
READING = """reading AS (
    INSERT INTO servers_hostreading VALUES (%(server)s::bigint, %(sampled)s, %(ts)s, %(total)s, %(cpu)s::float8,
        %(mem_used_mb)s::float8, %(mem_total_mb)s::float8, %(swap_used_mb)s::float8, %(swap_total_mb)s::float8,
        %(load1)s::float8, %(load5)s::float8, %(load15)s::float8, %(disk_read_bps)s::float8, %(disk_write_bps)s::float8,
        %(net_rx_bps)s::float8, %(net_tx_bps)s::float8, %(cpu_user)s::float8, %(cpu_system)s::float8,
        %(cpu_iowait)s::float8, %(cpu_steal)s::float8))"""
SNAPSHOT = """snapshot AS (
    INSERT INTO servers_processsnapshot VALUES (%(server)s::bigint, %(sampled)s, %(ts)s, %(total)s, %(raw)b))"""
SEEN = """received_at = %(received)s, interval_sec = %(interval)s, seq = seq + 1, recent_ts = %(recent)s::jsonb,
    skews = %(skews)s::jsonb"""
NEWER = """, sampled_at = %(sampled)s, cpu = %(cpu)s::float8, mem_used_mb = %(mem_used_mb)s::float8,
    mem_total_mb = %(mem_total_mb)s::float8, load1 = %(load1)s::float8, uptime_sec = %(uptime)s::float8,
    procs_total = %(total)s, top_name = %(top_name)s, top_cpu = %(top_cpu)s::float8, readings = %(readings)s::jsonb,
    facts = facts || %(facts)s::jsonb, procs = %(procs)b"""
RAW_NEWER = ", raw_ts = %(raw_ts)s::float8, raw_at = %(sampled)s, raw_procs = NULL"
# What is no history leaves the table that is: the next report may build on that.
BETWEEN = ", raw_procs = CASE WHEN raw_ts IS NOT NULL THEN coalesce(raw_procs, procs) END"
WRITE = "WITH {raw} UPDATE servers_newest SET {values} WHERE server_id = %(server)s"
WRITE_BETWEEN = f"UPDATE servers_newest SET {SEEN}{NEWER}{BETWEEN} WHERE server_id = %(server)s"  # noqa: S608
# A statement of its own: what it finds must not be older than the locks. It inserts only where the state changes.
ALIVE = """WITH alive AS (
        UPDATE servers_server SET state = 'up', state_since = %(received)s
        WHERE id = ANY(%(servers)s) AND state <> 'up' RETURNING id),
    kept AS (INSERT INTO servers_statechange (server_id, at, state) SELECT id, %(received)s, 'up' FROM alive)
    SELECT id FROM alive"""
REPEATED = """SELECT EXISTS (SELECT FROM servers_hostreading
    WHERE server_id = %s AND sampled_at BETWEEN %s AND %s AND ts = %s)"""
_VALUES = {True: SEEN, False: SEEN + NEWER + RAW_NEWER}  # by whether it is late
_RAW = {True: f"{READING}, {SNAPSHOT}", False: READING}  # by whether its process table is kept
_WRITE = {(late, kept): WRITE.format(raw=_RAW[kept], values=_VALUES[late]) for late in _VALUES for kept in _RAW}

_ON_THE_WIRE = dict(zip(Report.__struct_fields__, Report.__struct_encode_fields__, strict=True))
TABLES = Remembered()
Values = dict[str, Any]


class Processes(NamedTuple):
    """A report's processes: packed whole, in short, and the one with the most CPU (the first of several).

    Where the report told only what is other than in a base: that base, and the change of it; else the table.
    """

    whole: bytes
    outline: Outline
    top_name: str
    top_cpu: float | None
    table: proctable.Table | None = None
    base: Base | None = None
    change: bytes = b""


class Row(NamedTuple):
    """A server's newest row as the next report finds it, and what of the server its caller was checked by."""

    server_id: int
    seq: int
    sampled_at: datetime
    recent_ts: list[float]
    services_at: datetime | None
    boot_id: str | None
    hostname: str
    token_hash: str
    allowed_networks: list[str]
    skews: list[float]
    interval_sec: float  # what the agent was last asked to report at
    watched_until: datetime | None
    raw_at: datetime | None  # when the newest raw row was sampled
    raw_ts: float | None  # of that row; None: there is none to build on
    known: Known | None = None  # its process table; None: none to build on that is

    @property
    def base(self) -> Base | None:
        """The raw row that the next may build on."""
        return None if self.raw_at is None or self.raw_ts is None else Base(self.raw_at, self.raw_ts)


def locked(servers: Sequence[int], sampled_at: datetime) -> dict[int, Row]:
    """The servers' newest rows, locked, for samples of then and later.

    A first report makes the row; of two first ones the second waits here.
    """
    rows = _lock(servers)
    if missing := sorted(set(servers) - rows.keys()):
        here = Server.objects.filter(pk__in=missing).order_by("pk").values_list("pk", flat=True)
        empty = [Newest(server_id=pk, received_at=NEVER, sampled_at=NEVER) for pk in here]
        Newest.objects.bulk_create(empty, ignore_conflicts=True)
        rows |= _lock(missing)
    return rows | _outlined(rows, rawtables.chain_start(sampled_at))


def _lock(servers: Sequence[int]) -> dict[int, Row]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, {"servers": list(servers)})
        found = cursor.fetchall()
    return {row[0]: _row(*row) for row in found}


def _outlined(rows: dict[int, Row], chain: datetime) -> dict[int, Row]:
    """Those rows whose raw table is of this chain or later, with that table: remembered, or read."""
    bases = {server: row.base for server, row in rows.items() if row.base and row.base.sampled_at >= chain}
    tables = {server: TABLES.of(server, base) for server, base in bases.items()}
    tables |= _read([server for server, known in tables.items() if known is None])
    return {server: rows[server]._replace(known=known) for server, known in tables.items()}


def told(server_id: int, ts: float) -> Known | None:
    """The server's newest raw table, if it is that of the report of this ts."""
    known = TABLES.told(server_id, ts) or _read([server_id]).get(server_id)
    return known if known and known.base.ts == ts else None


def _read(servers: Sequence[int]) -> dict[int, Known]:
    """The newest raw tables of those that have one."""
    found = {}
    for server, at, ts, procs in fetched(RAW_TABLES, [list(servers)]) if servers else ():
        whole = bytes(procs)
        found[server] = Known(Base(at, ts), whole, outline_of(proctable.unpack_table(whole)))
    return found


def remember(rows: Iterable[Row]) -> None:
    """After the commit: the next reports of these servers mostly come to this process, too."""
    for row in rows:
        if row.known and row.known.base == row.base:
            TABLES.remember(row.server_id, row.known)


def _row(*columns: Any) -> Row:
    row = Row(*columns)
    decode: Callable[[Any], Any] = msgspec.json.decode
    lists = {name: decode(getattr(row, name)) for name in ("recent_ts", "allowed_networks", "skews")}
    return row._replace(**lists)


def statement(*, late: bool, kept: bool, between: bool) -> str:
    """The one that writes a report; late: into the past only; kept: its process table, too; between: no history."""
    return WRITE_BETWEEN if between else _WRITE[late, kept]


def is_repeated(server_id: int, ts: float, sampled_at: datetime) -> bool:
    """Whether history has this very report, placed about there. Its agent may not know that it has arrived."""
    with connection.cursor() as cursor:
        cursor.execute(REPEATED, [server_id, sampled_at - ABOUT, sampled_at + ABOUT, ts])
        return bool(cursor.fetchone()[0])


def write(reports: Sequence[tuple[str, Values]]) -> set[int]:
    """Write the raw rows and the newest values in one go; returns the servers that this brought up."""
    servers = [values["server"] for _statement, values in reports]
    # Django's own cursor writes the values into the statement's text; this one sends them beside it, as bytes.
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        with connection.connection.pipeline():
            for same, those in groupby(reports, itemgetter(0)):
                cursor.executemany(same, [values for _statement, values in those])
            cursor.execute(ALIVE, {"received": reports[0][1]["received"], "servers": servers})
        return {server for (server,) in cursor.fetchall()}


def processes_of(procs: Sequence[Proc]) -> Processes:
    """The processes as they are stored. Of 500 this takes some 0.3 ms, twice that when they left the CPU's caches."""
    table = proctable.table_of(procs)
    outline = outline_of(table)
    top = busiest(outline)
    name, cpu = (proctable.name_of(table.stays[top]), table.cpu[top]) if procs else ("", None)
    return Processes(proctable.pack_table(table), outline, name, cpu, table)


def values_of(report: Report, processes: Processes, sampled_at: datetime, address: str) -> Values:
    """What a statement writes of the report itself."""
    return _readings(report.load) | {
        "sampled": sampled_at,
        "ts": report.ts,
        "uptime": report.uptime_sec,
        "total": len(processes.outline.cpu) if report.procs_total is None else report.procs_total,
        "top_name": processes.top_name,
        "top_cpu": processes.top_cpu,
        "readings": msgspec.json.encode(report.load).decode(),
        "facts": _facts(report, address),
    }


def tables_of(processes: Processes, ts: float, sampled_at: datetime, row: Row | None, kept: bool) -> Values:
    """The process table whole, and (kept) as the raw row has it: as a change of the row's, if that can be."""
    raw = _raw_table(processes, sampled_at, row) if kept else b""
    return {"procs": processes.whole, "raw": raw, "raw_ts": ts if kept else None}


def _raw_table(processes: Processes, sampled_at: datetime, row: Row | None) -> bytes:
    known = row.known if row else None
    if known is None or not rawtables.may_build_on(known.base, sampled_at):
        return processes.whole
    change = processes.change if processes.base == known.base else _change(known, processes)
    return min(change, processes.whole, key=len)


def _change(known: Known, processes: Processes) -> bytes:
    table = processes.table or proctable.unpack_table(processes.whole)
    other = changes.difference(known.outline, processes.outline)
    return changes.pack(known.base, other, table, processes.outline)


def _readings(load: Load) -> dict[str, float | None]:
    given = msgspec.structs.asdict(load)
    return {name: 0.0 if value is not None and value < LEAST else value for name, value in given.items()}


def _facts(report: Report, address: str) -> str:
    """What the report says of the server, as JSON; what it leaves out stays as it was."""
    facts = {_ON_THE_WIRE[fact]: value for fact in FACTS if (value := getattr(report, fact)) is not None}
    return msgspec.json.encode(facts | ({"address": address} if address else {})).decode()
