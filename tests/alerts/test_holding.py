"""On which servers a rule would hold now."""

from __future__ import annotations

import pytest
from django.utils import timezone

from alerts.evaluate.holding import Holds, holding
from alerts.models import Incident, Rule, Standing
from alerts.rules import kinds
from servers import download, states
from servers.models import Server
from tests.alerts.reporting import MINUTE, recently, report

pytestmark = pytest.mark.django_db


def outdated() -> Rule:
    """Not saved."""
    return Rule(kind=kinds.OUTDATED, params={}, severity="warning", for_sec=3_600)


def test_it_is_where_the_newest_report_is_over(web1: Server, web2: Server, db1: Server) -> None:
    at = recently(5 * MINUTE)
    report({web1: 5, db1: 5}, at, version="0.0.1")
    report({web2: 5}, at, version=download.agent_version())
    asked = [web1.pk, web2.pk]
    assert holding(outdated(), asked, timezone.now()) == Holds([web1.pk], 2)
    report({web1: 5}, at + MINUTE, version=download.agent_version())
    assert holding(outdated(), asked, timezone.now()) == Holds([], 2)
    assert [model.objects.count() for model in (Standing, Incident, Rule)] == [0, 0, 0]


def test_servers_that_are_silent_or_never_reported_tell_nothing(web1: Server, web2: Server) -> None:
    report({web1: 5}, recently(MINUTE), version="0.0.1")
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    assert holding(outdated(), [web1.pk, web2.pk], timezone.now()) == Holds([], 0)
