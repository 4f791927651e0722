"""Rules about commands that failed, or of which nobody knows how they ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from actions import lifecycle
from actions import states as command_states
from actions.models import AuditEntry, Command
from alerts.models import Incident, Standing
from alerts.rules import kinds
from servers.models import Server
from tests.actions.making import command
from tests.alerts.reporting import SECOND, a_rule, evaluate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rule(db: None) -> None:
    a_rule(kind=kinds.COMMAND_FAILED, params={"withinSec": 600}, limit=None)
    evaluate(timezone.now())


def failed(server: Server, target: str = "nginx.service") -> Command:
    """A command that ran and failed, with its entries in the audit trail."""
    asked = command(server, target=target)
    lifecycle.claim(server)
    lifecycle.acknowledge(server, asked.uuid)
    return ended(asked, command_states.FAILED)


def ended(asked: Command, state: str) -> Command:
    asked.refresh_from_db()
    lifecycle._move(asked, state, lifecycle.HUB, "timed_out", {"withinSec": 120})
    return asked


def soon(seconds: float = 1) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def test_a_failed_command_opens_one_that_names_it(web1: Server) -> None:
    asked = failed(web1)
    evaluate(soon())
    one = Incident.objects.get()
    assert (one.server, one.subject) == (web1, "nginx.service")
    assert one.facts == {
        "cmd": asked.cmd,
        "command": str(asked.uuid),
        "verdict": "timed_out",
        "by": asked.asked_by_name,
    }
    assert one.opened_at == AuditEntry.objects.get(command=asked, to_state="failed").at
    evaluate(soon(500))
    evaluate(soon(601))
    one.refresh_from_db()
    assert one.closed_at == one.opened_at + 600 * SECOND
    assert not Standing.objects.exists()
    evaluate(soon(700))
    assert Incident.objects.count() == 1


def test_one_that_ended_well_opens_nothing(web1: Server) -> None:
    asked = command(web1)
    lifecycle.claim(web1)
    lifecycle.acknowledge(web1, asked.uuid)
    ended(asked, command_states.SUCCEEDED)
    evaluate(soon())
    assert not Incident.objects.exists()


def test_an_unknown_outcome_that_is_settled_well_closes_its_incident(web1: Server) -> None:
    asked = command(web1)
    lifecycle.claim(web1)
    lifecycle.acknowledge(web1, asked.uuid)
    ended(asked, command_states.UNKNOWN)
    evaluate(soon())
    assert Incident.objects.live().count() == 1
    ended(asked, command_states.SUCCEEDED)
    evaluate(soon(5))
    assert not Incident.objects.live().exists()


def test_a_second_failure_of_the_same_service_joins_and_holds_it_open(web1: Server) -> None:
    failed(web1)
    evaluate(soon())
    failed(web1)
    failed(web1, "other.service")
    evaluate(soon(300))
    assert sorted(Incident.objects.values_list("subject", flat=True)) == ["nginx.service", "other.service"]


def test_a_server_out_of_scope_is_not_looked_at(web1: Server, db1: Server) -> None:
    a_rule(name="db", kind=kinds.COMMAND_FAILED, params={"withinSec": 600}, limit=None, scope="group:db")
    failed(web1)
    failed(db1)
    evaluate(soon())
    assert [one.server for one in Incident.objects.filter(rule_name="db")] == [db1]
