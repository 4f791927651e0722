"""Servers whose agents can probe, and what these answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F

from actions import reads, wire
from actions.models import Read
from actions.rollouts import advance, states
from actions.rollouts.models import Rollout, RolloutStep
from servers.models import Newest, Server, ServerGroup
from tests.actions.rollouts.making import fleet

URL = "http://127.0.0.1:8080/health"
CHECKING = states.CHECKING
ABLE = {"features": ["reads", "probe"]}
OK, UNWELL = {"ok": True, "said": "HTTP 200 in 3 ms"}, {"ok": False, "said": "HTTP 503"}


def able_fleet(group: ServerGroup) -> list[Server]:
    """Three servers with nginx and an agent that can probe."""
    made = fleet(group, 3)
    Newest.objects.update(facts=ABLE)
    return made


def answer(server: Server, told: dict[str, Any] | str) -> None:
    """The server's agent answers the probe it was asked for: so, or by why it cannot."""
    (read,) = reads.take(server)
    said_so = wire.Answer(error=told) if isinstance(told, str) else wire.Answer(answer=told)
    reads.answer(server, read.uuid, said_so)
    advance.advance()


def later(rollout: Rollout, seconds: float) -> None:
    """As if everything so far had been so many seconds earlier."""
    past = timedelta(seconds=seconds)
    RolloutStep.objects.filter(rollout=rollout, state=CHECKING).update(probe_until=F("probe_until") - past)
    Read.objects.update(asked_at=F("asked_at") - past, answer_by=F("answer_by") - past)
    advance.advance()
