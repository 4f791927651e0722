"""Rollouts over servers whose agents do as they are told."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from actions import lifecycle
from actions.models import AuditEntry, Command
from actions.rollouts import advance, start, states, ways_on, words
from actions.rollouts.models import Rollout, RolloutStep
from actions.rollouts.selection import Selection
from actions.rollouts.start import Confirmed, Wanted
from servers.models import Server, ServerGroup
from tests.actions.making import FAILED, NGINX, newest, result, service
from tests.cast import enrolled

WENT_WRONG = {"outcome": "failed", "exitCode": 1, "after": FAILED}


def fleet(group: ServerGroup, count: int) -> list[Server]:
    """So many servers with nginx, which have reported: web-1, web-2 …"""
    servers = [enrolled(f"web-{number}", group)[0] for number in range(1, count + 1)]
    for server in servers:
        Server.objects.filter(pk=server.pk).update(state="up")
        service(server)
        newest(server)
    return servers


def wanted(**more: Any) -> Wanted:
    """A restart of nginx wherever it is, one server at a time, without a pause."""
    return Wanted("restart", NGINX, **{"selection": Selection(), "pause": 0, **more})


def begun(user: Any, count: int, **more: Any) -> Rollout:
    """A rollout whose first batch has been asked for."""
    rollout = start.start(user, wanted(**more), Confirmed("New TLS certificate", count), "198.51.100.23")
    advance.advance()
    return rollout


def deliver(server: Server) -> Command:
    """The server's agent takes its command and begins."""
    (command,) = lifecycle.claim(server)
    lifecycle.acknowledge(server, command.uuid)
    return command


def obey(server: Server, **fields: Any) -> None:
    """The server's agent does what it is told; well, unless fields say otherwise."""
    lifecycle.finish(server, deliver(server).uuid, result(**fields))
    advance.advance()


def state(rollout: Rollout) -> str:
    """Its state now."""
    rollout.refresh_from_db()
    return rollout.state


def steps(rollout: Rollout) -> list[str]:
    """The states of its steps, in its order."""
    found = RolloutStep.objects.filter(rollout=rollout).order_by("place")
    return [step.state for step in found]


def step(rollout: Rollout, place: int) -> RolloutStep:
    """One of its steps."""
    return RolloutStep.objects.select_related("command").get(rollout=rollout, place=place)


def said(rollout: Rollout) -> str:
    """What its page says of it."""
    found = list(RolloutStep.objects.filter(rollout=rollout).select_related("server", "command").order_by("place"))
    return f"{words.headline(rollout, found)}. {words.touched(rollout, found)}"


def tell(user: User, rollout: Rollout, way: str) -> None:
    """A person tells it to go a way on, and it does."""
    ways_on.tell(user, rollout, way, "because")
    advance.advance()


def events(rollout: Rollout) -> list[str]:
    """Its own moves in the audit trail."""
    return list(AuditEntry.objects.filter(rollout=rollout).order_by("id").values_list("event", flat=True))


DONE, TODO, BUSY, BAD, LEFT = states.SUCCEEDED, states.TODO, states.ASKED, states.FAILED, states.SKIPPED
