"""A failed service on web1, and a rule that restarts it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from alerts.models import Rule
from servers.models import Server, Service
from tests.actions.making import service
from tests.alerts.acting_rules import rule


@pytest.fixture
def nginx(web1: Server) -> Service:
    return service(web1, active_state="failed", sub_state="failed", main_pid=None, start_ticks=None)


@pytest.fixture
def restarts(operator: User, nginx: Service) -> Rule:
    return rule(operator)
