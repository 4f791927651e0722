"""When servers were silent in the past: nothing that has to last lasts through that, and nothing is known of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings

from servers import spells, states, watching
from servers.models import StateChange


class Silence(NamedTuple):
    """From when a server was marked silent, and the first report after; None: it is so at the stretch's end still."""

    marked: datetime
    up: datetime | None


def silences(servers: Sequence[int], start: datetime, end: datetime) -> dict[int, list[Silence]]:
    """Of each server in the order of time those that end after start; one that began before is marked at start.

    Servers are marked silent so many missed reports after the last one.
    """
    missed = timedelta(seconds=settings.SILENT_AFTER_REPORTS * watching.usual())
    changes = StateChange.objects.filter(server__in=servers, at__lte=end).exclude(state=spells.REBOOTED)
    found: dict[int, list[Silence]] = defaultdict(list)
    since: dict[int, datetime] = {}
    for server, at, state in changes.order_by("at", "pk").values_list("server", "at", "state"):
        if state == states.SILENT:
            since.setdefault(server, at)
        elif server in since:
            heard = since.pop(server)
            if at > start:
                found[server].append(Silence(max(heard + missed, start), at))
    for server, heard in since.items():
        found[server].append(Silence(max(heard + missed, start), None))
    return found
