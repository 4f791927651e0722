"""How services were at a past moment, as far as is known. Pure: no database, no clock.

Lists of services are not kept, only what happened to them (service_events.py). So a service was then as it is now if
nothing has happened to it since; else as the last thing before tells, or the first one after. What neither tells is
said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from servers import service_events as kinds
from servers.models import Service
from servers.service_events import Event

ACTIVE, INACTIVE, FAILED = "active", "inactive", "failed"
AFTER = {  # what it is once that happened
    kinds.STARTED: ACTIVE,
    kinds.RESTARTED: ACTIVE,
    kinds.RELOADED: ACTIVE,
    kinds.CAME_BACK: ACTIVE,
    kinds.STOPPED: INACTIVE,
    kinds.FAILED: FAILED,
    kinds.CRASHED: FAILED,
    kinds.OOM_KILLED: FAILED,
}
BEFORE = {  # what it was when that happened
    kinds.RESTARTED: ACTIVE,
    kinds.RELOADED: ACTIVE,
    kinds.STOPPED: ACTIVE,
    kinds.CRASHED: ACTIVE,
    kinds.OOM_KILLED: ACTIVE,
}
ORDER = {FAILED: 0, ACTIVE: 1, INACTIVE: 2}  # the unknown after


class Then(NamedTuple):
    """A service at a past moment; state empty, main_pid and since None where that is not known."""

    name: str
    description: str
    state: str
    main_pid: int | None
    since: datetime | None


def services_then(listed: Iterable[Service], events: Iterable[Event], moment: datetime) -> list[Then]:
    """The services there were, failed first, out of those listed now and of events before and after the moment."""
    now = {service.name: service for service in listed}
    before, after, booted = _beside(events, moment)
    found = (
        _then(name, now.get(name), before.get(name), after.get(name), booted, moment)
        for name in now.keys() | before.keys() | after.keys()
    )
    return sorted((one for one in found if one), key=lambda one: (ORDER.get(one.state, 3), one.name))


def _beside(events: Iterable[Event], moment: datetime) -> tuple[dict[str, Event], dict[str, Event], bool]:
    """Each service's last event up to the moment and its first one after; whether the server was booted after."""
    before: dict[str, Event] = {}
    after: dict[str, Event] = {}
    booted = False
    for event in sorted(events, key=lambda event: event.at):
        if event.kind == kinds.BOOTED:
            booted = booted or event.at > moment
            if event.at <= moment:
                before.clear()  # what was so before a boot tells nothing of after it
        elif event.at <= moment:
            before[event.name] = event
        elif not booted:
            after.setdefault(event.name, event)
        else:
            after.setdefault(event.name, Event(event.name, event.at, kinds.BOOTED, {}))
    return before, after, booted


def _then(
    name: str, now: Service | None, before: Event | None, after: Event | None, booted: bool, moment: datetime
) -> Then | None:
    if (before and before.kind == kinds.GONE) or (after and after.kind == kinds.APPEARED):
        return None
    description = now.description if now else ""
    if after is None and now and not booted and _as_now(now, moment):
        return Then(name, description, _known(now.active_state), now.main_pid, now.since)
    if before:
        state = ACTIVE if before.facts.get("runs") else AFTER.get(before.kind, "")
        return Then(name, description, state, _pid(before.facts.get("pidNow")) if state == ACTIVE else None, before.at)
    state = BEFORE.get(after.kind, "") if after else ""
    return Then(name, description, state, _pid(after.facts.get("pidBefore")) if after and state else None, None)


def _as_now(now: Service, moment: datetime) -> bool:
    return now.since <= moment if now.since else now.active_state == INACTIVE  # that one has never run


def _known(state: str) -> str:
    return state if state in ORDER else ""


def _pid(told: object) -> int | None:
    return told if isinstance(told, int) and told > 0 else None
