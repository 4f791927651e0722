"""The service managers the agent can talk to, behind one interface (base.Manager)."""

from __future__ import annotations

from agent.managers.base import Manager
from agent.managers.supervisord import Supervisord
from agent.managers.systemd import Systemd
from agent.managers.sysv import SysV


def known(supervisor_socket: str = "") -> list[Manager]:
    """Every manager there is code for, whether at work here or not; the first one that has a name owns it."""
    return [Systemd(), SysV(), Supervisord(supervisor_socket)]
