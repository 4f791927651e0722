"""Two agents with one token: a cloned machine. The hub keeps their words apart by the start each acknowledged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from actions import lifecycle, states
from actions.models import AuditEntry, Command
from pmonitor.problems import Problem
from servers.models import Server
from tests.actions.making import ago, command, result

pytestmark = pytest.mark.django_db


@pytest.fixture
def began() -> datetime:
    """By the clock of the agent that runs the command."""
    return timezone.now()


@pytest.fixture
def running(web1: Server, began: datetime) -> Command:
    one = command(web1, states.DELIVERED)
    assert lifecycle.acknowledge(web1, one.uuid, began) == states.RUNNING
    return one


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "interrupted", "reason": "not run: the agent ended before it began"},
        {"outcome": "refused", "reason": "this server's owner does not allow the hub to restart it"},
        {"outcome": "failed", "reason": "not run: its time was over"},
    ],
)
def test_what_the_other_one_says_moves_nothing(
    web1: Server, running: Command, began: datetime, fields: dict[str, Any]
) -> None:
    with pytest.raises(Problem, match="another start"):
        lifecycle.finish(web1, running.uuid, result(ack=ago(5), before=None, after=None, **fields))
    running.refresh_from_db()
    assert running.state == states.RUNNING
    assert "outcome" not in running.evidence
    assert lifecycle.finish(web1, running.uuid, result(ack=began)) == states.SUCCEEDED
    moves = AuditEntry.objects.filter(command=running).order_by("id").values_list("to_state", flat=True)
    assert list(moves) == ["running", "succeeded"]


def test_nor_when_the_outcome_is_unknown_by_now(web1: Server, running: Command, began: datetime) -> None:
    running.refresh_from_db()
    lifecycle.time_out(running)
    with pytest.raises(Problem, match="another start"):
        lifecycle.finish(web1, running.uuid, result(ack=ago(5)))
    assert lifecycle.finish(web1, running.uuid, result(ack=began)) == states.SUCCEEDED


def test_an_agent_that_does_not_name_its_start_is_believed(web1: Server, running: Command) -> None:
    assert lifecycle.finish(web1, running.uuid, result()) == states.SUCCEEDED
