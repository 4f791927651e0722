"""Settles an outcome that stayed unknown by what the server's reports show since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone

from actions import states, steady, wire
from actions.judge import FOR_GOOD, Judgement, judge
from actions.models import Command
from servers.models import Newest, Service

PATIENCE = timedelta(minutes=10)  # of reports after the deadline; a list comes every 5 minutes at least
RELISTED = timedelta(minutes=6)


def listed(service: Service) -> dict[str, Any]:
    """A service as the hub knows it from reports, in the words of evidence."""
    known = {
        "activeState": service.active_state,
        "subState": service.sub_state,
        "mainPid": service.main_pid,
        "startTicks": service.start_ticks,
        "since": service.since and service.since.isoformat(),
        "result": service.result,
        "nRestarts": service.n_restarts,
        "type": service.type,
        "loadState": service.load_state,
        "lastExit": service.last_exit,
        "triggeredBy": service.triggered_by,
        "reloadedAt": service.reloaded_at and service.reloaded_at.isoformat(),
        "reloadStatus": service.reload_status if service.reloaded_at else None,
    }
    return {name: value for name, value in known.items() if value not in (None, "", [], 0) or name == "reloadStatus"}


def settle(command: Command, service: Service) -> tuple[Judgement, dict[str, Any]] | None:
    """The judgement and what was seen, or None while the reports prove nothing yet.

    A failure is only believed of a list that is newer than the execution deadline: until then it may still be at work.
    """
    newest: Newest = command.server.newest
    if newest.services_at is None or command.verdict in FOR_GOOD:
        return None
    if not steady.begun_at(command) < newest.services_at <= timezone.now():
        return None
    seen = {**listed(service), "settledSec": _held(newest, newest.services_at, service)}
    found = judge(command.cmd, None, _as_result(command, seen))
    open_still = found.state == states.UNKNOWN
    too_early = found.state == states.FAILED and newest.services_at <= (command.execute_by or timezone.now())
    return None if open_still or too_early else (found, {**seen, "at": newest.services_at.isoformat()})


def hopeless(command: Command, service: Service | None) -> dict[str, Any] | None:
    """The facts to give up with, when the reports since its deadline had time enough and proved nothing; else None."""
    if command.verdict in FOR_GOOD:
        return None
    newest: Newest = command.server.newest
    deadline = command.execute_by or timezone.now()
    if newest.services_at is None or min(newest.services_at + RELISTED, newest.sampled_at) < deadline + PATIENCE:
        return None
    return {"minutes": PATIENCE.seconds // 60, "now": service.active_state if service else ""}


def _as_result(command: Command, seen: dict[str, Any]) -> wire.Result:
    """What an agent would say that comes back and looks."""
    before = command.evidence.get("before") or {**(command.evidence.get("listed") or {}), **(command.expect or {})}
    return wire.Result(
        outcome="interrupted",
        before=msgspec.convert(before, wire.Observation),
        after=msgspec.convert(seen, wire.Observation),
    )


def _held(newest: Newest, listed_at: datetime, service: Service) -> float:
    """Seconds the state has held: by samples since that list nothing newer, or by the time of its last change."""
    unchanged = (newest.sampled_at - listed_at).total_seconds()  # sampled: a report may have waited for the hub
    return round(max(unchanged, _since_change(newest, service), 0.0), 1)


def _since_change(newest: Newest, service: Service) -> float:
    """Seconds between the service's last change and the newest sample, both by the agent's clock; 0 if not known."""
    boot_time = newest.facts.get("bootTime")
    if service.since is None or newest.uptime_sec is None or boot_time is None:
        return 0.0
    return float(boot_time) + newest.uptime_sec - service.since.timestamp()
