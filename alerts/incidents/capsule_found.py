"""What a capsule holds, looked up around an incident's opening: processes, its unit's evidence, commands, events.

All as JSON: times in ISO 8601, CPU in percent of one core, memory in MB. It is kept with the incident, since history
dies before incidents do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from actions import happened, settling
from actions.models import Command
from alerts.incidents import capsule_processes
from alerts.incidents.unit import unit_of
from alerts.models import Incident
from servers import service_events, service_history
from servers.models import Newest, Service
from servers.service_events import Event

STRETCH = timedelta(hours=1)  # before it began
SOON = timedelta(seconds=1)  # events are placed by the list that shows them, which comes with the sample
MOST_COMMANDS, MOST_EVENTS, MOST_OF_UNIT = 20, 30, 5


def find(incident: Incident) -> dict[str, Any]:
    """Everything but the log lines, which only the agent knows."""
    server_id = incident.server_id
    assert server_id is not None  # noqa: S101 - told to the type checker: an incident of many servers has no capsule
    start, end = incident.began_at - STRETCH, incident.opened_at + SOON
    unit = _unit(server_id, unit_of(incident) or incident.rule.remedy_target, end)
    named = capsule_processes.named_by(incident.facts, _main_pid(unit))
    return {
        "from": start.isoformat(),
        "to": incident.opened_at.isoformat(),
        "processes": capsule_processes.find(server_id, incident.began_at, incident.opened_at, named),
        "unit": unit,
        "commands": [_command(one) for one in _commands(server_id, start, end)],
        "events": [
            _event(one.event, one.command) for one in happened.newest(server_id, MOST_EVENTS, since=start, before=end)
        ],
    }


def _commands(server_id: int, start: datetime, end: datetime) -> list[Command]:
    asked = Command.objects.filter(server=server_id, created_at__gte=start, created_at__lt=end)
    return list(asked.order_by("-id")[:MOST_COMMANDS])


def _unit(server_id: int, name: str, end: datetime) -> dict[str, Any] | None:
    """How the unit is listed now, and what happened to it; None where the server has none of that name."""
    listed = Service.objects.filter(server=server_id).named(name).first() if name else None
    if listed is None:
        return None
    newest = Newest.objects.filter(server=server_id).only("services_at").first()
    events = service_history.newest(server_id, MOST_OF_UNIT, name=listed.name, before=end)
    seen = settling.listed(listed)
    recent = [event for event in events if event.at >= end - STRETCH]
    oom = "oom-kill" in (seen.get("result"), seen.get("lastExit")) or any(
        event.kind == service_events.OOM_KILLED for event in recent
    )
    return {
        "name": listed.name,
        "listed": seen,
        "listedAt": newest.services_at.isoformat() if newest and newest.services_at else None,
        "oom": oom,
        "events": [_event(event) for event in events],
    }


def _main_pid(unit: dict[str, Any] | None) -> int | None:
    """The unit's main process as it was when it still ran."""
    if unit is None:
        return None
    told = [event["facts"].get("pidBefore") for event in unit["events"]]
    pid = next((pid for pid in told if pid), None) or unit["listed"].get("mainPid")
    return pid if isinstance(pid, int) else None


def _command(one: Command) -> dict[str, Any]:
    return {
        "id": str(one.uuid),
        "at": one.created_at.isoformat(),
        "cmd": one.cmd,
        "target": one.target,
        "state": one.state,
        "by": one.asked_by_name,
        "reason": one.reason,
    }


def _event(event: Event, command: Command | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at": event.at.isoformat(),
        "kind": event.kind,
        "service": event.name,
        "facts": event.facts,
    }
    return {**told, "command": str(command.uuid), "by": command.asked_by_name} if command else told
