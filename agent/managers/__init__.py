"""The service managers the agent can talk to, behind one interface (base.Manager)."""

from __future__ import annotations

from agent.managers.base import Manager
from agent.managers.supervisord import Supervisord
from agent.managers.systemd import Systemd
from agent.managers.sysv import SysV


def known(supervisor_socket: str = "", by_sudo: bool = False) -> list[Manager]:
    """Every manager there is code for, whether at work here or not; the first one that has a name owns it.

    `by_sudo`: systemd is told what to do by `sudo -n systemctl`.
    """
    return [Systemd(by_sudo), SysV(), Supervisord(supervisor_socket)]
