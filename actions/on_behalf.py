"""Whether the one in whose name something runs by itself may still act; looked up anew each time, for rights change."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from pmonitor import access
from servers.models import Server

LOST: Final[dict[str, Any]] = {
    "account": _("%(name)s, in whose name it runs, has no account any more."),
    "role": _("%(name)s, in whose name it runs, may not act any more."),
    "scope": _("%(name)s, in whose name it runs, may not act on this server any more."),
}


def lost(user: Any, server_id: int) -> str:
    """What the user lacks to act on the server now, a word of LOST; empty when they may. user None: no account."""
    if user is None or not user.is_active:
        return "account"
    if not access.has_role(user, access.OPERATOR):
        return "role"
    return "" if Server.objects.visible_to(user).filter(pk=server_id).exists() else "scope"


def sentence(word: str, name: str) -> str:
    """Why somebody called so may not act, in the reader's language; word: of LOST. name empty: nobody made it."""
    return str(LOST[word]) % {"name": name or _("Nobody")}


def barred(user: Any, name: str, server_id: int) -> str:
    """Why the user, called so, may not act on the server now, in a sentence; empty when they may."""
    word = lost(user, server_id)
    return sentence(word, name) if word else ""
