"""What a rule is called: by its name, and a starter rule that nobody has renamed in the reader's language."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from pmonitor.visible import visible

STARTER: dict[str, Any] = {  # as the database has them; the words
    "Server silent": _("Server silent"),
    "Memory high": _("Memory high"),
    "CPU stuck": _("CPU stuck"),
    "Load high": _("Load high"),
    "Disk nearly full": _("Disk nearly full"),
    "Disk full within a day": _("Disk full within a day"),
    "Service failed": _("Service failed"),
    "Service keeps restarting": _("Service keeps restarting"),
    "Server rebooted": _("Server rebooted"),
    "Clock off": _("Clock off"),
    "Agent outdated": _("Agent outdated"),
    "Command failed": _("Command failed"),
}


def having(word: str) -> list[str]:
    """The names, as the database has them, of the starter rules in whose words a word is."""
    return [name for name, words in STARTER.items() if word.casefold() in str(words).casefold()]


def shown(name: str) -> str:
    """The words for a rule's name, which may be an incident's copy of it: plain text of safe characters."""
    return str(STARTER[name]) if name in STARTER else visible(name)
