"""Writes the audit trail: always in the transaction of what it tells, so that there is no action without its entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.utils import timezone

from actions.models import AuditEntry, Command
from actions.rollouts.models import Rollout
from actions.schedules.models import Schedule
from pmonitor import live
from servers.models import Server

HUB = "hub"
Told = ParamSpec("Told")


class OutsideTransaction(RuntimeError):
    """An entry must commit or vanish together with what it tells."""


def entry(
    event: str,
    *,
    actor: str,
    user: Any = None,
    address: str | None = None,
    server: Server | None = None,
    command: Command | None = None,
    rollout: Rollout | None = None,
    schedule: Schedule | None = None,
    cmd: str = "",
    target: str = "",
    from_state: str = "",
    to_state: str = "",
    reason: str = "",
    facts: dict[str, Any] | None = None,
) -> AuditEntry:
    """One entry, unsaved; server, verb and target come from the command or schedule where there is one."""
    number = None if server is None else server.pk
    told = command or schedule
    return AuditEntry(
        at=timezone.now(),
        event=event,
        actor=actor,
        actor_user=user,
        address=address,
        server_id=told.server_id if told else number,
        command=command,
        rollout=rollout,
        schedule=schedule,
        cmd=told.cmd if told else cmd,
        target=told.target if told else target,
        from_state=from_state,
        to_state=to_state,
        reason=reason,
        facts=facts or {},
    )


def keep(made: AuditEntry) -> AuditEntry:
    """Write an entry and announce it."""
    if not connection.in_atomic_block:
        raise OutsideTransaction(made.event)
    made.save(force_insert=True)
    announce(made.command)
    if made.schedule:
        live.announce(f"schedule:{made.schedule.pk}")
    return made


def _kept(make: Callable[Told, AuditEntry]) -> Callable[Told, AuditEntry]:
    return lambda *args, **told: keep(make(*args, **told))


write = _kept(entry)  # makes one, writes it and announces it


def announce(command: Command | None) -> None:
    """Tell the pages, after the commit, that there is a new entry, and of the command it is about."""
    live.announce("audit:all", *(_topics(command) if command else ()))


def _topics(command: Command) -> tuple[str, ...]:
    server = command.server_id
    of_server = tuple(f"{kind}:{server}" for kind in ("commands", "services", "waits"))
    of_it = [f"rollout:{command.rollout_id}"] if command.rollout_id else []
    of_it += [f"schedule:{command.schedule_id}"] if command.schedule_id else []
    return f"command:{command.pk}", *of_server, "waiting:all", "fleet:all", *of_it


def name_of(user: AbstractBaseUser) -> str:
    """What the trail calls a user: the full name, or the login name."""
    full: str = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return (full or user.get_username())[:150]
