"""Worker steps: what time does to commands. Each claims by conditional update, and returns how many it moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from actions import afterwards, lifecycle, process_settling, settling, states, steady
from actions.judge import FOR_GOOD, Judgement
from actions.models import Command
from servers.models import Service

BATCH = 500
SETTLES_WITHIN = timedelta(days=1)  # what a process table has not settled by then, it never will


def undelivered() -> QuerySet[Command]:
    """What may expire."""
    return Command.objects.filter(state__in=(states.QUEUED, states.DELIVERED))


def unacknowledged() -> QuerySet[Command]:
    """What may be queued again."""
    return Command.objects.filter(state=states.DELIVERED)


def unanswered() -> QuerySet[Command]:
    """What may time out."""
    return Command.objects.filter(state=states.RUNNING)


def unknown() -> QuerySet[Command]:
    """Commands on services that may be settled."""
    return Command.objects.filter(state=states.UNKNOWN, ended_at=None).exclude(cmd__in=states.PROCESS_VERBS)


def unknown_processes() -> QuerySet[Command]:
    """Commands on processes that may be settled."""
    found = Command.objects.filter(state=states.UNKNOWN, cmd__in=states.PROCESS_VERBS)
    return found.exclude(verdict__in=FOR_GOOD)


def expire_undelivered() -> int:
    """Queued past the delivery deadline, or delivered and its lease ended after it: can never run."""
    now = timezone.now()
    late = undelivered().filter(Q(deliver_by__lte=now) | steady.of_the_future(now))
    late = late.select_related("server").order_by("id")
    queued = late.filter(state=states.QUEUED)[:BATCH]
    delivered = late.filter(_lapsed(now))[:BATCH]
    return _each(lifecycle.expire, queued) + _each(lifecycle.expire, delivered)


def requeue_unacknowledged() -> int:
    """Delivered, the lease ended without `running`, the delivery deadline not yet passed: to be delivered again."""
    now = timezone.now()
    lapsed = unacknowledged().filter(_lapsed(now), deliver_by__gt=now).exclude(steady.of_the_future(now))
    return _each(lifecycle.requeue, lapsed.order_by("id")[:BATCH])


def _lapsed(now: datetime) -> Q:
    """A lease that ends later than any given now was given by a clock since set back."""
    over = Q(lease_until__lte=now) | Q(lease_until__gt=now + lifecycle.LEASE + steady.SLACK)
    return Q(state=states.DELIVERED) & over


def time_out_unanswered() -> int:
    """Running past the execution deadline and some grace for the answer's way: the outcome is unknown."""
    late = unanswered().filter(execute_by__lte=steady.minded() - lifecycle.GRACE)
    return _each(lifecycle.time_out, late.order_by("id")[:BATCH])


def resolve_unknown() -> int:
    """Unknown outcomes of servers that have listed their services since: settled, or at last given up."""
    steady.minded()
    rows = unknown().filter(server__newest__services_at__gt=F("started_at"))
    commands = list(rows.select_related("server__newest"))
    names = {command.target for command in commands}
    listed = Service.objects.filter(server__in={command.server_id for command in commands}, name__in=names)
    services = {(service.server_id, service.name): service for service in listed}
    return sum(_resolve(command, services.get((command.server_id, command.target))) for command in commands)


def resolve_unknown_processes() -> int:
    """Unknown outcomes of commands on processes whose servers have reported since; each table is read once."""
    steady.minded()
    rows = unknown_processes().filter(
        execute_by__gt=timezone.now() - SETTLES_WITHIN, server__newest__sampled_at__gt=F("started_at")
    )
    by_server: dict[int, list[Command]] = defaultdict(list)
    for command in rows.select_related("server__newest").order_by("id")[:BATCH]:
        by_server[command.server_id].append(command)
    moved = 0
    for commands in by_server.values():
        newest = commands[0].server.newest
        procs = process_settling.read(newest)
        for command in commands:
            if found := process_settling.settle(command, newest, procs):
                moved += _each(partial(_resolve_as, found), [command])
    return moved


def _resolve_as(found: tuple[Judgement, dict[str, Any]], command: Command) -> None:
    lifecycle.resolve(command, *found)


def _resolve(command: Command, service: Service | None) -> int:
    if found := settling.settle(command, service) if service else None:
        return _each(lambda one: lifecycle.resolve(one, *found), [command])
    facts = settling.hopeless(command, service)
    return int(facts is not None and afterwards.give_up(command, facts))


def _each(move: Callable[[Command], None], commands: Iterable[Command]) -> int:
    moved = 0
    for command in commands:
        try:
            move(command)
        except lifecycle.IllegalMove:
            continue  # another worker, the agent or an operator was first
        moved += 1
    return moved
