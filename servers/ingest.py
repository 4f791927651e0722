"""Stores reports in one transaction, one alone or several together; and only then their agents are answered.

Together: one statement locks the servers' newest rows, then one prepared statement a report and one for those that came
up, sent in one go; one more with services, two when something happened to those. Reports that cannot be stored together
are stored one by one, so that none fails for a neighbour's sake.

Where a sample is placed: at received - (sentAt - ts) when the report says sentAt, else at its receipt. An age below
zero, or longer than raw host readings are kept, comes from a clock that was set in between: such a sample is placed
at its receipt. So nothing is ever placed in the future or where it would be dropped at once.

While a server is watched, its agent reports more often than history has rows (watching.py): what comes in between is
the newest, and is written nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec
from django.db import Error, IntegrityError, connection, transaction
from msgspec import UNSET
from psycopg import errors

from pmonitor import live, logs
from servers import (
    clock_skew,
    disks,
    history,
    partitions,
    report_rows,
    rollup,
    service_events,
    service_history,
    service_table,
    state_history,
    told_changes,
    watching,
)
from servers.models import Server
from servers.outlines import Known
from servers.report_rows import Processes, Row
from servers.service_events import Span
from servers.wire import Report

log = logs.get(__name__)
STORED, LATE, DUPLICATE = "stored", "late", "duplicate"
LISTENERS: list[Callable[[Server, Report, datetime, bool], None]] = []  # of other apps; see heard()
REMEMBERED = 32  # the last reports, by the agent's ts, that a repeated one is known by
LONGEST_GAP = timedelta(days=1)  # what happened before a longer silence is placed within so long before its end


class Incoming(NamedTuple):
    """A report that came in at that moment by the hub's clock, from a server whose token was checked."""

    server: Server
    report: Report  # without its processes
    processes: Processes
    received_at: datetime
    address: str = ""


class Stored(NamedTuple):
    """How a report ended: stored, late (an older sample: history only) or duplicate; where its sample was placed."""

    outcome: str
    sampled_at: datetime
    interval_sec: float  # what the agent is asked to report at
    between: bool = False  # no history
    base: float | None = None  # the report's ts, where the next ones may tell only what is other than in it


class Gone(Exception):
    """The server was deleted, or its token or networks changed, after its token was checked."""


class _Taken(NamedTuple):
    incoming: Incoming
    stored: Stored
    before: Row
    statement: str
    values: dict[str, Any]

    @property
    def late(self) -> bool:
        return self.stored.outcome == LATE

    @property
    def lists(self) -> bool:
        return self.incoming.report.services is not None and not self.late

    @property
    def booted(self) -> bool:
        """Whether the server was booted since the report before."""
        boot_id, before = self.incoming.report.boot_id, self.before.boot_id
        return not self.late and None not in (boot_id, before) and boot_id != before


End = Stored | Exception


def incoming(server: Server, report: Report, received_at: datetime, address: str = "") -> Incoming:
    """The report, ready to be stored, as soon as it is decoded: its thousands of objects need not wait for that.

    Raises Problem 400 or 409 when its processes cannot be told from what it says.
    """
    rest = msgspec.structs.replace(report, procs=[], changes=UNSET)
    return Incoming(server, rest, told_changes.processes(server.pk, report), received_at, address)


def store_all(reports: Sequence[Incoming]) -> list[End]:
    """Store them, together if that goes, else one by one; how each ended. Raises Error while the database is away."""
    try:
        return _together(reports)
    except Exception as error:
        if isinstance(error, Error) and not connection.is_usable():
            raise
        log.info("ingest.one_by_one", reports=len(reports), reason=repr(error))
    return [_end(one) for one in reports]


def _end(one: Incoming) -> End:
    try:
        return _stored(one)
    except Exception as error:
        if isinstance(error, Error) and not connection.is_usable():
            raise
        return error


def store(server: Server, report: Report, received_at: datetime, address: str = "") -> Stored:
    """Store a server's report, received at that moment by the hub's clock from that address; raises Gone."""
    return _stored(incoming(server, report, received_at, address))


def _stored(one: Incoming) -> Stored:
    try:
        return _alone(one)
    except IntegrityError as error:
        if isinstance(error.__cause__, errors.ForeignKeyViolation):
            raise Gone from error
        if not isinstance(error.__cause__, errors.CheckViolation):
            raise
    partitions.ensure(placed(one.report, one.received_at))  # the worker that makes them ahead was away
    return _alone(one)


def placed(report: Report, received_at: datetime) -> datetime:
    """Where the report's sample belongs by the hub's clock; see the module's head."""
    if report.sent_at is None:
        return received_at
    age = timedelta(seconds=report.sent_at - report.ts)
    believed = timedelta(0) <= age < history.LEVELS[history.HOST_READINGS].kept
    return received_at - age if believed else received_at


def _alone(one: Incoming) -> Stored:
    (end,) = _together([one])
    if isinstance(end, Exception):
        raise end
    return end


def _together(reports: Sequence[Incoming]) -> list[End]:
    with transaction.atomic():
        oldest = min(placed(one.report, one.received_at) for one in reports)
        rows = report_rows.locked([one.server.pk for one in reports], oldest)
        ends = [_take(one, rows) for one in reports]
        taken = [end for end in ends if isinstance(end, _Taken)]
        if taken:
            came_up = report_rows.write([(one.statement, one.values) for one in taken])
            _announce(taken, came_up)
            transaction.on_commit(partial(report_rows.remember, list(rows.values())))
            for one in taken:
                _besides(one)
    return [end.stored if isinstance(end, _Taken) else end for end in ends]


def _take(one: Incoming, rows: dict[int, Row]) -> End | _Taken:
    """How the report is to be stored; the server's row becomes what it is after that."""
    server, report, processes, received_at, address = one
    row, sampled_at = rows.get(server.pk), placed(report, received_at)
    if row is None or (row.token_hash, row.allowed_networks) != (server.token_hash, server.allowed_networks):
        return Gone()
    interval = watching.interval(row.watched_until, received_at)
    late = sampled_at < row.sampled_at <= received_at  # a row of the future was placed by a clock since corrected
    if report.ts in row.recent_ts or (late and report_rows.is_repeated(server.pk, report.ts, sampled_at)):
        return Stored(DUPLICATE, sampled_at, interval, base=report.ts if report.ts == row.raw_ts else None)
    between = not late and watching.is_between(row.interval_sec, row.raw_at, sampled_at)
    recent = [report.ts, *row.recent_ts[: REMEMBERED - 1]]
    # What an agent had to keep says its age by its sentAt, not its clock.
    skews = row.skews if late else clock_skew.next_skews(row.skews, received_at, report.sent_at)
    kept = sampled_at > received_at - history.LEVELS[history.PROCESSES].kept
    values = report_rows.values_of(report, processes, sampled_at, address) | {
        **report_rows.tables_of(processes, report.ts, sampled_at, None if late else row, kept and not between),
        "server": server.pk,
        "received": received_at,
        "interval": interval,
        "recent": msgspec.json.encode(recent).decode(),
        "skews": msgspec.json.encode(skews).decode(),
    }
    statement = report_rows.statement(late=late, kept=kept, between=between)
    base = None if late or between else values["raw_ts"]
    stored = Stored(LATE if late else STORED, sampled_at, interval, between, base)
    taken = _Taken(one, stored, row, statement, values)
    rows[server.pk] = _after(taken, recent, skews)
    return taken


def _after(taken: _Taken, recent: list[float], skews: list[float]) -> Row:
    """The row as the next report of this server finds it."""
    row, report, sampled_at = taken.before, taken.incoming.report, taken.stored.sampled_at
    row = row._replace(seq=row.seq + 1, recent_ts=recent, skews=skews, interval_sec=taken.stored.interval_sec)
    if taken.late:
        return row
    if not taken.stored.between:
        row = row._replace(raw_at=sampled_at, raw_ts=taken.values["raw_ts"], known=None)
        if row.base:
            processes = taken.incoming.processes
            row = row._replace(known=Known(row.base, processes.whole, processes.outline))
    return row._replace(
        sampled_at=sampled_at,
        services_at=sampled_at if taken.lists else row.services_at,
        boot_id=report.boot_id if report.boot_id is not None else row.boot_id,
        hostname=report.hostname or row.hostname,
    )


def _besides(taken: _Taken) -> None:
    """What there is to do besides writing readings and processes."""
    server, report = taken.incoming.server, taken.incoming.report
    if taken.incoming.received_at - taken.stored.sampled_at > rollup.LATE:
        rollup.note_late(server.pk, taken.stored.sampled_at)
    if taken.booted:
        state_history.note_boot(server.pk, report.uptime_sec, taken.before.sampled_at, taken.stored.sampled_at)
    if taken.lists:
        _list(server.pk, taken)
    if report.hostname and report.hostname != taken.before.hostname and not taken.late:
        Server.objects.filter(pk=server.pk).update(hostname=report.hostname)
    if report.disks is not None:
        disks.hear(server.pk, report.disks, taken.stored.sampled_at)
    if report.leases is not None:
        heard(server, report, taken.stored.sampled_at, taken.late)


def heard(server: Server, report: Report, sampled_at: datetime, late: bool) -> None:
    """What a report says besides readings is for those who listen, in its transaction; late: an older sample."""
    for listen in LISTENERS:
        listen(server, report, sampled_at, late)


def _list(server_id: int, taken: _Taken) -> None:
    """Replace the services, and record what happened to them since the list before, where there was one."""
    report, row, sampled_at = taken.incoming.report, taken.before, taken.stored.sampled_at
    changes = service_table.replace(server_id, report.services or [], sampled_at)
    if row.services_at is None:
        return
    ahead = datetime.fromtimestamp(report.ts, UTC) - sampled_at
    span = Span(max(row.services_at, sampled_at - LONGEST_GAP), sampled_at, ahead)
    service_history.record(server_id, service_events.events(changes, span, taken.booted))


def _announce(taken: Sequence[_Taken], came_up: set[int]) -> None:
    """One announcement for all of them."""
    topics = {"fleet:all"} if came_up else set()
    for one in taken:
        server, row = one.incoming.server, one.before
        topics |= {f"row:{server.pk}", f"server:{server.pk}"}
        if one.lists:
            topics.add(f"services:{server.pk}")
        if server.enrolled_with and (row.seq == 0 or (one.lists and row.services_at is None)):
            topics.add(f"enrol:{server.enrolled_with}")
    live.announce(*sorted(topics))
