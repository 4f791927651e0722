"""Whether the one in whose name a rollout acts may still do so; looked up anew each time, for rights change."""

from __future__ import annotations

from typing import Any

from actions.rollouts.models import Rollout
from pmonitor import access
from servers.models import Server


def may_act(rollout: Rollout, server: Server) -> bool:
    """Whether its leader is still there, an operator, and has this server in scope."""
    user: Any = rollout.led_by
    if user is None or not access.has_role(user, access.OPERATOR):
        return False
    return bool(Server.objects.visible_to(user).filter(pk=server.pk).exists())
