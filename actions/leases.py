"""Services that are stopped for a time, as their agents tell: the only module that changes a lease.

The agent alone holds a lease and starts the service again; the hub records. An agent tells how one ended until a report
with it was taken, so each change is a conditional update, and its audit entry is written once, in its transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import audit, states, wire
from actions.judge import judge
from actions.models import Command, Lease
from pmonitor import live, logs
from servers import wire as reported
from servers.models import Newest, Server
from servers.states import SILENT

log = logs.get(__name__)
FEATURE = "leases"
SAME = timedelta(seconds=2)  # an end told anew may differ by so much and be the same
OVERDUE_AFTER = timedelta(seconds=60)  # for the start itself, and for the report that tells it
EVENTS = {states.KEPT: "lease.kept", states.NOT_STARTED: "lease.failed", states.LOST: "lease.failed"}


# Before a command


def needed(cmd: str, args: dict[str, Any]) -> tuple[str, ...]:
    """The verbs that the server's owner has to allow for it."""
    if cmd in states.LEASE_VERBS:
        return (states.STOP,)
    return (states.STOP, states.START) if cmd == states.STOP and args.get("forSec") else (cmd,)


def can_lend(server: Server) -> bool:
    """Whether the server's agent knows how to stop a service for a time."""
    facts = Newest.objects.filter(server=server).values_list("facts", flat=True).first() or {}
    return FEATURE in (facts.get("features") or [])


def of(server: Server, target: str) -> Lease | None:
    """The service's open lease, the newest."""
    lease: Lease | None = Lease.objects.open().filter(server=server, target=target).order_by("-id").first()
    return lease


def refusal(server: Server, cmd: str, target: str, args: dict[str, Any]) -> str:
    """Why it cannot be asked for now, as a sentence; empty when it can."""
    lends = cmd == states.STOP and bool(args.get("forSec"))
    if not lends and cmd not in states.LEASE_VERBS:
        return ""
    words = {"target": target, "server": server.agent_id}
    if not can_lend(server):
        return _("The agent of %(server)s is too old for that: update it.") % words
    lease = of(server, target)
    if lends:
        return _("%(target)s is stopped for a time already: extend that.") % words if lease else ""
    return "" if lease else _("%(target)s is not stopped for a time.") % words


# After a command


def after(command: Command, result: wire.Result, actor: str) -> None:
    """What the command's result says of a lease; in the transaction of the command's move."""
    if command.cmd == states.STOP and result.until and "forSec" in command.args:
        _hold(command, result.until, actor)
    lease = of(command.server, command.target) if command.state == states.SUCCEEDED else None
    if lease is None:
        return
    if command.cmd == states.EXTEND and result.until:
        columns = {"state": states.HELD, "until": result.until, "overdue_at": None, "attempts": 0, "reason": ""}
        facts = {"until": result.until.isoformat(), "by": command.asked_by_name}
        _move(lease, "lease.extended", actor, facts, columns, command.reason)
    if command.cmd == states.KEEP:
        facts = {"by": command.asked_by_name}
        _move(lease, "lease.kept", actor, facts, {"state": states.KEPT, "ended_at": timezone.now()}, command.reason)


# Out of reports


def hear(server: Server, report: reported.Report, sampled_at: datetime, late: bool) -> None:
    """Take a report's leases; of an older sample only how they ended. In the report's transaction."""
    told = {one.command: one for one in report.leases or []}
    open_or_told = Q(state__in=states.LEASE_OPEN) | Q(command__uuid__in=list(told))
    known = {
        lease.command.uuid: lease
        for lease in Lease.objects.filter(open_or_told, server=server).select_related("command", "server")
    }
    for uuid, one in told.items():
        lease = known.get(uuid) or _first_heard(server, one)
        if lease is not None and lease.state in states.LEASE_OPEN:
            _told(lease, one, sampled_at, late)
    if not late:
        for uuid, lease in known.items():
            if uuid not in told and lease.state in states.LEASE_OPEN and lease.told_at and lease.told_at < sampled_at:
                _end(lease, states.LOST, sampled_at)


def _first_heard(server: Server, one: reported.Lease) -> Lease | None:
    """The command's result has not come yet, or is lost."""
    stops = Command.objects.filter(server=server, cmd=states.STOP, args__has_key="forSec", target=one.target)
    command = stops.filter(uuid=one.command).select_related("server").first()
    if command is None:
        log.warning("lease.unknown", agent=server.agent_id, command=str(one.command))
        return None
    return _hold(command, one.until, f"agent {server.agent_id}")


def _hold(command: Command, until: datetime, actor: str) -> Lease:
    values = {"server": command.server, "target": command.target, "until": until}
    lease, made = Lease.objects.get_or_create(command=command, defaults=values)
    if made:
        _record(lease, "lease.started", actor, {"until": until.isoformat()}, command.reason)
    return lease


def _told(lease: Lease, one: reported.Lease, sampled_at: datetime, late: bool) -> None:
    if one.state in states.LEASE_ENDED:
        _end(lease, one.state, min(one.ended_at or sampled_at, timezone.now()), one)
        return
    if late:
        return
    moved = abs(one.until - lease.until) > SAME
    before = (lease.state, lease.attempts, lease.reason)
    columns = {"told_at": sampled_at, "state": one.state, "attempts": one.attempts, "reason": one.reason}
    if moved:
        columns |= {"until": one.until, "overdue_at": None}
    Lease.objects.open().filter(pk=lease.pk).update(**columns)
    if moved or before != (one.state, one.attempts, one.reason):
        live.announce(*topics(lease))


def _end(lease: Lease, state: str, ended_at: datetime, one: reported.Lease | None = None) -> None:
    """It is over. That the service was started is believed of what was seen, as with a command."""
    columns: dict[str, Any] = {"state": state, "ended_at": ended_at}
    if one is not None:
        columns |= {"attempts": one.attempts, "reason": one.reason, "evidence": _evidence(one)}
    if one is not None and state == states.STARTED:
        seen = wire.Result(outcome="done", exit_code=0, before=one.before, after=one.after)
        found = judge(states.START, None, seen)
        columns |= {"verdict": found.verdict, "facts": found.facts}
        if found.state == states.FAILED:
            columns["state"] = state = states.NOT_STARTED
    facts = {"how": state, "attempts": one.attempts if one else 0, **columns.get("facts", {})}
    _move(lease, EVENTS.get(state, "lease.ended"), f"agent {lease.server.agent_id}", facts, columns)


def _evidence(one: reported.Lease) -> dict[str, Any]:
    told = wire.Result(outcome="done", before=one.before, after=one.after, output=one.output, log=one.log)
    return {name: value for name, value in wire.evidence(told).items() if name != "outcome"}


def _move(
    lease: Lease, event: str, actor: str, facts: dict[str, Any], columns: dict[str, Any], reason: str = ""
) -> None:
    """Of two who tell the same, one changes it and writes the entry."""
    here = Lease.objects.open().filter(pk=lease.pk)
    if here.update(**columns):
        _record(lease, event, actor, facts, reason)
        live.announce(*topics(lease))


def _record(lease: Lease, event: str, actor: str, facts: dict[str, Any], reason: str = "") -> None:
    audit.write(event, actor=actor, command=lease.command, reason=reason, facts=facts)
    log.info(event, command=str(lease.command.uuid), **facts)


def topics(lease: Lease) -> tuple[str, ...]:
    """The live topics that show it."""
    return f"command:{lease.command_id}", f"services:{lease.server_id}", "fleet:all"


# As time passes


def on_time() -> QuerySet[Lease]:
    """Leases that may come to be overdue."""
    found: QuerySet[Lease] = Lease.objects.open().filter(overdue_at=None)
    return found


def note_overdue() -> int:
    """Worker step: the end has passed and no report told of the start; said once. Returns how many."""
    now = timezone.now()
    late = on_time().filter(until__lt=now - OVERDUE_AFTER)
    return sum(_overdue(lease, now) for lease in late.select_related("command", "server__newest")[:500])


def _overdue(lease: Lease, now: datetime) -> int:
    newest = getattr(lease.server, "newest", None)
    facts = {"silentSince": newest.received_at.isoformat()} if newest and lease.server.state == SILENT else {}
    with transaction.atomic():
        here = Lease.objects.open().filter(pk=lease.pk, overdue_at=None, until=lease.until)
        if not here.update(overdue_at=now):
            return 0
        _record(lease, "lease.overdue", audit.HUB, facts)
    return 1
