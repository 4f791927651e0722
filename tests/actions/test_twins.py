"""Clones: where two servers have the same host name, the pages on what was asked tell their agent ids too."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import ask
from servers.models import Server, ServerGroup
from tests.actions.making import NGINX, newest, service
from tests.actions.pages import text
from tests.actions.rollouts.making import begun
from tests.actions.schedules.making import schedule
from tests.cast import enrolled

pytestmark = pytest.mark.django_db
TOLD, TITLED = '<small class="muted clip" title="{0}">{0}</small>', "web-9 ({0})"
ALIKE, OTHER = ("clone-a", "clone-b"), "web-9-alone"


@pytest.fixture
def clones(web_group: ServerGroup) -> list[Server]:
    """Two of the same host name, and one that has its own."""
    made = [enrolled(agent_id, web_group)[0] for agent_id in (*ALIKE, OTHER)]
    Server.objects.filter(agent_id__in=ALIKE).update(hostname="web-9.example.org")
    Server.objects.filter(agent_id=OTHER).update(hostname="web-8.example.org")
    Server.objects.update(state="up")
    for server in made:
        server.refresh_from_db()
        service(server)
        newest(server)
    return made


def test_the_audit_trail_tells_clones_apart(as_viewer: Client, operator: User, clones: list[Server]) -> None:
    for server in clones:
        ask.ask(operator, server, "restart", NGINX, reason="kernel")
    shown = text(as_viewer.get("/audit/"))
    for agent_id in ALIKE:
        assert shown.count(TOLD.format(agent_id)) == 2  # in its column, and under what it is where that is left out
    assert TOLD.format(OTHER) not in shown


def test_a_plan_and_its_rollout_tell_clones_apart(as_operator: Client, operator: User, clones: list[Server]) -> None:
    plan = text(as_operator.get(f"/rollouts/new/?cmd=restart&target={NGINX}&batch=2&pause=0"))
    for shown in (plan, text(as_operator.get(f"/rollouts/{begun(operator, 3).pk}/"))):
        for agent_id in ALIKE:
            assert f">{TITLED.format(agent_id)}</a>" in shown
        assert ">web-8</a>" in shown
    assert TOLD.format("clone-a") in plan  # where servers are ticked


def test_schedules_tell_clones_apart(as_viewer: Client, operator: User, clones: list[Server]) -> None:
    for server in clones:
        schedule(server, operator)
    shown = text(as_viewer.get("/schedules/"))
    assert [shown.count(TOLD.format(agent_id)) for agent_id in (*ALIKE, OTHER)] == [2, 2, 0]
