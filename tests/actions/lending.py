"""Lends a service: what the tests of leases start from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions import lifecycle
from actions.ask import ask
from actions.models import AuditEntry, Command, Lease
from servers.models import Server
from tests.actions.making import DEAD, NGINX, RUNNING, ago, newest, result, service
from tests.servers.reports import TS, post, report

LENT = {"forSec": 1200}


@pytest.fixture
def able(web1: Server) -> Server:
    """A server whose agent can stop for a time, with nginx running on it."""
    newest(web1, facts={"features": ["leases"]}, sampled_at=ago(3600), services_at=ago(3600))
    service(web1)
    return web1


def finished(server: Server, user: User, cmd: str, args: dict[str, Any], **fields: Any) -> Command:
    """A command that went its whole way, its agent telling these fields."""
    made = ask(user, server, cmd, NGINX, args=args, reason="its disk").command
    lifecycle.claim(server)
    lifecycle.acknowledge(server, made.uuid)
    given = {"before": RUNNING, "after": DEAD, **fields}
    lifecycle.finish(server, made.uuid, result(**given))
    made.refresh_from_db()
    return made


def in_future(seconds: float) -> str:
    return (timezone.now() + timedelta(seconds=seconds)).isoformat()


def lend(server: Server, user: User, seconds: float = 1200) -> Lease:
    return finished(server, user, "stop", LENT, until=in_future(seconds)).lease


def told(lease: Lease, state: str = "held", **fields: Any) -> dict[str, Any]:
    """A lease as its agent reports it."""
    one = {"target": NGINX, "command": str(lease.command.uuid), "state": state, "until": lease.until.isoformat()}
    return {**one, **fields}


def tell(agent: Client, *told: dict[str, Any], ts: float = TS, **more: Any) -> Any:
    answer = post(agent, report(ts=ts, leases=list(told), **more))
    assert answer.status_code == 202, answer.content
    return answer


def again(lease: Lease) -> Lease:
    lease.refresh_from_db()
    return lease


def events(server: Server) -> list[str]:
    found = AuditEntry.objects.filter(server=server, event__startswith="lease.").order_by("id")
    return list(found.values_list("event", flat=True))
