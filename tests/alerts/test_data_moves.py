"""What is noted in an incident while nothing is known of its subject, and why."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from alerts import data_moves, states
from alerts.data_moves import Lost
from alerts.models import Incident
from alerts.rules import kinds
from servers.models import Server
from tests.actions.making import ago
from tests.alerts.incidents.pages import LIST, text, words
from tests.alerts.opening import close_all, lines, opened, rule

CUT = {"why": "table cut", "listed": 500, "processes": 1630}


@pytest.fixture
def incident(web1: Server) -> Incident:
    return opened(rule("Workers", kinds.MISSING), web1, pattern="worker", limit=2, value=1)


def lost(incident: Incident, seconds: float, why: dict[str, Any] | None = None) -> None:
    with transaction.atomic():
        data_moves.no_data({incident.pk: Lost(ago(seconds), why)})
    incident.refresh_from_db()


def test_why_nothing_is_known_is_told_wherever_that_is(incident: Incident, as_viewer: Client) -> None:
    lost(incident, 60, CUT)
    assert incident.facts == {"pattern": "worker", "limit": 2, "noData": CUT}
    why = "its process table lists 500 of 1,630 processes"
    assert why in words(text(as_viewer.get(LIST)))
    page = words(text(as_viewer.get(f"/alerts/{incident.uuid}/")))
    assert f"Nothing certain any more, as {why}: it stays open until there is" in page
    assert f", as {why}: it stays open until something is." in page
    assert why in words(text(as_viewer.get(f"/servers/{incident.server and incident.server.agent_id}/")))


def test_a_service_without_a_main_process_says_so(incident: Incident, as_viewer: Client) -> None:
    lost(incident, 60, {"why": "service untold"})
    assert "its service has no main process that is known" in words(text(as_viewer.get(LIST)))


def test_nothing_came_has_no_reason(incident: Incident, as_viewer: Client) -> None:
    lost(incident, 60)
    assert "noData" not in incident.facts
    assert "Nothing has been measured since" in words(text(as_viewer.get(f"/alerts/{incident.uuid}/")))


def test_another_reason_is_another_line_and_the_same_since(incident: Incident) -> None:
    lost(incident, 60, CUT)
    since = incident.no_data_since
    lost(incident, 50, {**CUT, "processes": 700})
    assert lines(incident) == [states.OPENED, states.NO_DATA]
    lost(incident, 40)
    assert lines(incident) == [states.OPENED, states.NO_DATA, states.NO_DATA]
    assert incident.no_data_since == since
    assert "noData" not in incident.facts


def test_the_reason_is_gone_with_data_again_and_with_the_end(incident: Incident) -> None:
    lost(incident, 60, CUT)
    with transaction.atomic():
        data_moves.data_again({incident.pk: ago(50)})
    incident.refresh_from_db()
    assert (incident.no_data_since, incident.facts) == (None, {"pattern": "worker", "limit": 2})
    lost(incident, 40, CUT)
    close_all([incident])
    incident.refresh_from_db()
    assert incident.facts == {"pattern": "worker", "limit": 2}


@pytest.mark.parametrize(
    ("limit", "title"),
    [(1, "Process worker missing"), (2, "Fewer than 2 of worker"), (1.5, "Fewer than 1.5 of worker")],
)
def test_the_title_of_one_that_is_not_enough(web1: Server, as_viewer: Client, limit: float, title: str) -> None:
    opened(rule("Workers", kinds.MISSING), web1, pattern="worker", limit=limit, value=1)
    assert f">{title}</a>" in text(as_viewer.get(LIST))
