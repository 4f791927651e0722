"""Whether the one in whose name something runs by itself may still act; looked up anew each time, for rights change."""

from __future__ import annotations

from typing import Any

from pmonitor import access
from servers.models import Server


def barred(user: Any, name: str, server_id: int) -> str:
    """Why the user, called so, may not act on the server now, in a sentence; empty when they may. None: no account."""
    if user is None or not user.is_active:
        return f"{name}, in whose name it runs, has no account any more."
    if not access.has_role(user, access.OPERATOR):
        return f"{name}, in whose name it runs, may not act any more."
    if not Server.objects.visible_to(user).filter(pk=server_id).exists():
        return f"{name}, in whose name it runs, may not act on this server any more."
    return ""
