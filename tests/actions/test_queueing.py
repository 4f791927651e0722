"""The way in: command, entry and NOTIFY in one statement, and nothing of them where the service is busy."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from actions import lifecycle, states
from actions.models import AuditEntry, Command
from pmonitor import live
from servers.models import Server
from tests.actions.making import NGINX, command

pytestmark = pytest.mark.django_db


def test_it_is_one_statement(web1: Server, operator: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=lifecycle.Actor("Oleg", operator))


@pytest.mark.parametrize("state", states.ACTIVE)
def test_a_busy_service_gets_neither_a_command_nor_an_entry(web1: Server, state: str) -> None:
    command(web1, state)
    with pytest.raises(lifecycle.Busy):
        lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=lifecycle.HUB)
    assert Command.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_what_is_returned_is_what_is_kept(web1: Server, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator, "2001:db8::1")
    queued = lifecycle.queue(
        server=web1,
        cmd="stop",
        target="a%sb.service",
        actor=actor,
        reason="100 % 'sure'",
        args={"forSec": 60},
        expect={"mainPid": 1},
        listed={"type": "simple"},
    )
    kept, entry = Command.objects.get(), AuditEntry.objects.get()
    for field in Command._meta.concrete_fields:
        assert getattr(queued, field.attname) == getattr(kept, field.attname), field.name
    assert (kept.evidence, entry.facts) == ({"listed": {"type": "simple"}}, {"args": {"forSec": 60}})
    assert (entry.command, entry.server, entry.target, entry.reason) == (kept, web1, kept.target, "100 % 'sure'")


def test_it_is_announced_after_its_commit(
    web1: Server, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(live, "_send", sent.extend)
    with django_capture_on_commit_callbacks(execute=True):
        queued = lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=lifecycle.HUB)
        assert sent == []
    assert {f"command:{queued.pk}", f"commands:{web1.pk}", "fleet:all", "audit:all"} <= set(sent)
