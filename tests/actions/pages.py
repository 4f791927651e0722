"""Reads pages in the tests of commands, and brings a command to its end."""

from __future__ import annotations

from typing import Any

from actions import ask, lifecycle
from actions.models import Command
from servers.models import Server
from tests.actions.making import NGINX, result

CONFIRM = f"/servers/srv-web-01/services/{NGINX}/restart/"


def text(answer: Any, status: int = 200) -> str:
    """The page that answered with this status."""
    assert answer.status_code == status
    return str(answer.content.decode())


def finished(server: Server, user: Any, **fields: Any) -> Command:
    """A restart that went its whole way."""
    made = ask.ask(user, server, "restart", NGINX, reason="x", address="198.51.100.23").command
    lifecycle.claim(server)
    lifecycle.acknowledge(server, made.uuid)
    lifecycle.finish(server, made.uuid, result(**fields))
    return made
