"""Settles an outcome that stayed unknown by what the server's reports show since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone

from actions import states, wire
from actions.judge import Judgement, judge
from actions.models import Command
from servers.models import Newest, Service


def listed(service: Service) -> dict[str, Any]:
    """A service as the hub knows it from reports, in the words of evidence."""
    known = {
        "activeState": service.active_state,
        "subState": service.sub_state,
        "mainPid": service.main_pid,
        "startTicks": service.start_ticks,
        "since": service.since and service.since.isoformat(),
    }
    return {name: value for name, value in known.items() if value}


def settle(command: Command, service: Service) -> tuple[Judgement, dict[str, Any]] | None:
    """The judgement and what was seen, or None while the reports prove nothing yet.

    A failure is only believed of a list that is newer than the execution deadline: until then it may still be at work.
    """
    newest: Newest = command.server.newest
    if newest.services_at is None:
        return None
    seen = {**listed(service), "settledSec": _held(newest, newest.services_at, service)}
    found = judge(command.cmd, None, _as_result(command, seen))
    open_still = found.state == states.UNKNOWN
    too_early = found.state == states.FAILED and newest.services_at <= (command.execute_by or timezone.now())
    return None if open_still or too_early else (found, {**seen, "at": newest.services_at.isoformat()})


def _as_result(command: Command, seen: dict[str, Any]) -> wire.Result:
    """What an agent would say that comes back and looks."""
    known = command.evidence.get("before")
    before = known or command.expect or command.evidence.get("listed") or {}
    if known or command.expect:  # the agent writes times its own way: only the hub's own can be compared
        before = {name: value for name, value in before.items() if name != "since"}
        seen = {name: value for name, value in seen.items() if name != "since"}
    return wire.Result(
        outcome="interrupted",
        before=msgspec.convert(before, wire.Observation),
        after=msgspec.convert(seen, wire.Observation),
    )


def _held(newest: Newest, listed_at: datetime, service: Service) -> float:
    """Seconds the state has held: by reports since that list nothing newer, or by the time of its last change."""
    unchanged = newest.received_at - listed_at
    by_itself = listed_at - service.since if service.since else timedelta(0)
    return round(max(unchanged, by_itself, timedelta(0)).total_seconds(), 1)
