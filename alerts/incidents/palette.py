"""What the palette finds of alerts: live incidents by title or server, and taking all critical ones."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts import states
from alerts.incidents import list_page, shown
from alerts.incidents.list_page import Asked
from pmonitor import access
from servers.search import MOST, Hit

LOOKED_AT = 500  # live incidents, for words of their titles


def incidents(user: Any, words: str) -> list[Hit]:
    """Live incidents that have all the words in their title or their server's name, the worst first."""
    parts = words.casefold().split()
    if not parts:
        return []
    loud = list_page.matching(user, Asked()).select_related("server")
    found = [one for one in shown.all_of(shown.worst_first(loud)[:LOOKED_AT]) if _has(f"{one.title} {one.host}", parts)]
    return [Hit("bell", one.named, _("incident"), one.url) for one in found[:MOST]]


def actions(user: Any, words: str) -> list[Hit]:
    """The question whether to take all critical incidents, for those who may, when its words are meant."""
    said = _("Acknowledge all critical incidents…")
    parts = words.casefold().split()
    if not parts or not access.has_role(user, access.OPERATOR) or not _has(said, parts):
        return []
    url = f"{reverse('incidents:acknowledge-all')}?severity={states.CRITICAL}"
    return [Hit("check", said, _("action"), url)]


def _has(text: str, parts: list[str]) -> bool:
    folded = text.casefold()
    return all(part in folded for part in parts)
