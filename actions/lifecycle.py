"""The only module that changes a command: every move is one conditional update with its audit entry in its transaction.

A command that has moved on in the meantime is left alone and `IllegalMove` raised: of two movers one wins.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import afterwards, audit, claiming, leases, queueing, states, verbs, wire
from actions.judge import Judgement
from actions.models import AuditEntry, Command
from pmonitor import logs
from pmonitor.problems import Problem
from servers import hub_absences
from servers import states as server_states
from servers.models import Server

log = logs.get(__name__)
LEASE = timedelta(seconds=10)  # from delivery to the agent's `running`
GRACE = timedelta(seconds=15)  # past the execution deadline, for the answer's way
STARTED = "agentClock"  # the start an agent acknowledged, by its clock: in the evidence, and in the entry's facts
CHANNEL = "commands"  # NOTIFY's, with the server's number as payload
MOVED: list[Callable[[Command], None]] = []  # who else is told of a move, in its transaction; see additions.py


class Actor(NamedTuple):
    """Who makes a move: a person, an agent or the hub itself."""

    name: str
    user: Any = None
    address: str | None = None


HUB = Actor(audit.HUB)


class Busy(Exception):
    """The service has a command that is not over yet."""


class IllegalMove(Exception):
    """The command is not, or no longer, where this move could start."""

    def __init__(self, command: Command, new: str) -> None:
        super().__init__(f"command {command.uuid}: no way from {command.state} to {new}")


def queue(
    *,
    server: Server,
    cmd: str,
    target: str,
    actor: Actor,
    reason: str = "",
    deliver_within: int = 60,
    execute_within: int = 120,
    args: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,
    expect: dict[str, Any] | None = None,
    listed: dict[str, Any] | None = None,
) -> Command:
    """Record a command and wake its agent when that commits; times in seconds. Busy: the service has one.

    expect: the main process as the operator saw it, which the agent checks; listed: the service as last reported;
    origin: the columns that say whose command it is, when no person asks just now.
    """
    now = timezone.now()
    command = Command(
        server=server,
        cmd=cmd,
        target=target,
        reason=reason,
        asked_by=actor.user,
        asked_by_name=actor.name,
        asked_from=actor.address,
        args=args or {},
        **(origin or {}),
        expect=expect,
        evidence={"listed": listed} if listed else {},
        created_at=now,
        deliver_by=now + timedelta(seconds=deliver_within),
        execute_within_sec=execute_within,
    )
    if not queueing.put(command, _entry(command, "", actor, {"args": args} if args else {}), CHANNEL):
        raise Busy(f"{target} of server {server.pk}")
    audit.announce(command)
    _tell(command, "", actor)
    return command


def claim(server: Server, limit: int = 10, address: str | None = None) -> list[Command]:
    """Take the server's queued commands for its agent, oldest first; each is taken by exactly one caller."""
    actor = agent_of(server, address)
    taken = claiming.take(server, actor=actor.name, address=address, now=timezone.now(), lease=LEASE, limit=limit)
    for command in taken:
        _tell(command, states.QUEUED, actor)
    return taken


def acknowledge(server: Server, uuid: UUID, started_at: datetime | None = None, address: str | None = None) -> str:
    """The agent starts: running, also when it says so again. Any other state returned means: do not run it.

    Problem 409: it runs by another start, which is that of a second agent with this token.
    """
    command, clock = of(server, uuid), _clock(started_at)
    try:
        with transaction.atomic():
            _begin(command, agent_of(server, address), clock)
    except IllegalMove:
        command = of(server, uuid)
    if command.state == states.RUNNING and _differs(command, clock):
        raise Problem(409, "It was started already, at another time than this.")
    return command.state


def finish(server: Server, uuid: UUID, result: wire.Result, address: str | None = None) -> str:
    """Judge the agent's result and end the command; what has ended stays as it is. Returns the state it is in now.

    Problem 409: it runs by another start, as after two agents with one token got it.
    """
    command = of(server, uuid)
    try:
        with transaction.atomic():
            _finish(command, result, agent_of(server, address))
    except IllegalMove:
        command = of(server, uuid)
        afterwards.keep_late(command, agent_of(server, address), result)
    return command.state


def cancel(user: Any, command: Command, address: str | None = None) -> None:
    """Take a command back that is not delivered yet; else a 409 that says how far it is."""
    try:
        take_back(command, Actor(audit.name_of(user), user, address))
    except IllegalMove as error:
        command.refresh_from_db()
        sentence = _("Too late to cancel: the command is %(state)s already.") % {
            "state": verbs.STATE_WORDS[command.state].lower()
        }
        raise Problem(409, sentence) from error


def take_back(command: Command, actor: Actor) -> None:
    """Cancel a command that is not delivered yet; IllegalMove when it is."""
    _move(command, states.CANCELLED, actor, "cancelled", {"by": actor.name}, ended_at=timezone.now())


def expire(command: Command) -> None:
    """Its delivery deadline has passed: it will never run."""
    silent = command.server.state == server_states.SILENT
    within = round((command.deliver_by - command.created_at).total_seconds())
    verdict = "expired_delivered" if command.deliveries else "expired_silent" if silent else "expired"
    now = timezone.now()
    if command.created_at > now:
        verdict = "expired_clock"
    elif hub_absences.away_at(command.deliver_by, now):
        verdict = "expired_away"
    _move(command, states.EXPIRED, HUB, verdict, {"withinSec": within}, ended_at=timezone.now())


def requeue(command: Command) -> None:
    """Its lease ended without `running`: it may be delivered again, until its delivery deadline."""
    with transaction.atomic():
        _move(command, states.QUEUED, HUB, lease_until=None)
        wake_agent(command.server_id)


def time_out(command: Command) -> None:
    """No answer in time: the outcome is unknown until a late result or the next reports tell."""
    _move(command, states.UNKNOWN, HUB, "timed_out", {"withinSec": command.execute_within_sec})


def resolve(command: Command, judgement: Judgement, seen: dict[str, Any]) -> None:
    """Settle an unknown outcome by what reports showed since; `seen` joins the evidence."""
    evidence = {**command.evidence, "seen": seen}
    _move(command, judgement.state, HUB, judgement.verdict, judgement.facts, evidence=evidence, ended_at=timezone.now())


def of(server: Server, uuid: UUID) -> Command:
    """The server's command of that id, else a 404: another server's is nobody's business."""
    command: Command | None = Command.objects.filter(server=server, uuid=uuid).select_related("server").first()
    if command is None:
        raise Problem(404, _("This server has no such command."))
    return command


def agent_of(server: Server, address: str | None) -> Actor:
    """The server's agent as one who acts."""
    return Actor(f"agent {server.agent_id}", None, address)


def wake_agent(server_id: int) -> None:
    """Wake the server's waiting agent when the running transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(server_id)])


def _deliver(command: Command, actor: Actor, now: datetime) -> None:
    deliveries = command.deliveries + 1
    _move(command, states.DELIVERED, actor, delivered_at=now, lease_until=now + LEASE, deliveries=deliveries)


def _begin(command: Command, actor: Actor, facts: dict[str, Any]) -> None:
    """Bring it to running. One whose lease ended, but was delivered, may still begin before its delivery deadline."""
    now = timezone.now()
    if command.state == states.RUNNING:
        return
    on_time = max(command.deliver_by, command.lease_until or command.deliver_by)
    if command.state in (states.DELIVERED, states.QUEUED) and now > on_time:
        return expire(command)
    if command.state == states.QUEUED and command.deliveries:
        _deliver(command, actor, now)
    execute_by = now + timedelta(seconds=command.execute_within_sec)
    times: dict[str, Any] = {"started_at": now, "execute_by": execute_by, "lease_until": None}
    _move(command, states.RUNNING, actor, facts=facts, evidence={**command.evidence, **facts}, **times)


def _finish(command: Command, result: wire.Result, actor: Actor) -> None:
    if command.state in (states.RUNNING, states.UNKNOWN) and _differs(command, _clock(result.ack)):
        raise Problem(409, "It runs by another start than the one this result is of.")
    evidence, now = {**command.evidence, **wire.evidence(result)}, timezone.now()
    if result.outcome == "refused" and command.state in states.ALLOWED_FROM[states.REFUSED] and command.deliveries:
        facts = {"reason": evidence["reason"]} if result.reason else {}
        return _move(command, states.REFUSED, actor, "refused", facts, evidence=evidence, ended_at=now)
    if command.state in (states.QUEUED, states.DELIVERED) and result.outcome == "interrupted" and not result.after:
        return  # it never began: its lease ends, and it is delivered again
    if command.state != states.UNKNOWN:
        _begin(command, actor, {})  # its acknowledgement was lost on the way, the work was done
    ending = afterwards.judged(command, result)
    if ending.state == command.state:
        return afterwards.keep(command, actor, ending, evidence)
    ended_at = now if ending.state in states.ENDED else None
    _move(command, ending.state, actor, ending.verdict, ending.facts, evidence=evidence, ended_at=ended_at)
    leases.after(command, result, actor.name)


def _differs(command: Command, clock: dict[str, Any]) -> bool:
    """Whether this is of another start than the one that was acknowledged."""
    known = command.evidence.get(STARTED)
    return bool(clock and known) and clock[STARTED] != known


def _clock(started_at: datetime | None) -> dict[str, Any]:
    return {STARTED: started_at.isoformat()} if started_at else {}


def _move(
    command: Command, new: str, actor: Actor, verdict: str = "", facts: dict[str, Any] | None = None, **columns: Any
) -> None:
    """Make one move, from exactly where `command` was read: deliveries grows, so a state it came back to is another."""
    old, columns = command.state, {**columns, "state": new}
    if verdict:
        columns |= {"verdict": verdict, "facts": facts or {}}
    with transaction.atomic():
        here = Command.objects.filter(pk=command.pk, state=old, deliveries=command.deliveries)
        if not here.filter(state__in=states.ALLOWED_FROM[new]).update(**columns):
            raise IllegalMove(command, new)
        for name, value in columns.items():
            setattr(command, name, value)
        audit.keep(_entry(command, old, actor, {**(facts or {}), **({"verdict": verdict} if verdict else {})}))
        _tell(command, old, actor)
        for told in MOVED:
            told(command)


def _entry(command: Command, old: str, actor: Actor, facts: dict[str, Any]) -> AuditEntry:
    return audit.entry(
        f"command.{command.state}",
        actor=actor.name,
        user=actor.user,
        address=actor.address,
        command=command,
        from_state=old,
        to_state=command.state,
        reason=command.reason,
        facts=facts,
    )


def _tell(command: Command, old: str, actor: Actor) -> None:
    log.info("command.moved", command=str(command.uuid), old=old, new=command.state, actor=actor.name)
