"""What happened to services on their hosts, each with the command of ours that did it, or with none.

servers/ keeps the events and knows no commands: an event is a command's when one on that service was at work then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import states
from actions.models import Command
from pmonitor.visible import visible
from servers import service_events as kinds
from servers import service_history
from servers.service_events import Event

SOON = timedelta(minutes=10)
MOST_EVENTS = 50  # looked through after a command
UNDOING = (kinds.CRASHED, kinds.OOM_KILLED, kinds.FAILED, kinds.CAME_BACK, kinds.STOPPED, kinds.GONE)
PROVING = (states.START, states.RESTART, states.RELOAD)  # verbs whose success is a service that runs
MARGIN = timedelta(seconds=2)  # service managers tell whole seconds, and an acknowledgement is under way before the act
GLYPHS = {
    kinds.STARTED: "active",
    kinds.STOPPED: "inactive",
    kinds.RESTARTED: "active",
    kinds.RELOADED: "active",
    kinds.CRASHED: "failed",
    kinds.OOM_KILLED: "failed",
    kinds.FAILED: "failed",
    kinds.CAME_BACK: "warning",
    kinds.APPEARED: "active",
    kinds.GONE: "inactive",
    kinds.BOOTED: "up",
}
WORDS = {
    kinds.STARTED: gettext_lazy("%(name)s was started"),
    kinds.STOPPED: gettext_lazy("%(name)s was stopped"),
    kinds.RESTARTED: gettext_lazy("%(name)s was restarted"),
    kinds.RELOADED: gettext_lazy("%(name)s was reloaded"),
    kinds.CRASHED: gettext_lazy("%(name)s died"),
    kinds.OOM_KILLED: gettext_lazy("%(name)s was killed because the memory was used up"),
    kinds.FAILED: gettext_lazy("%(name)s failed"),
    kinds.CAME_BACK: gettext_lazy("%(name)s ended and came back by itself"),
    kinds.APPEARED: gettext_lazy("%(name)s is new on this server"),
    kinds.GONE: gettext_lazy("%(name)s is not on this server any more"),
    kinds.BOOTED: gettext_lazy("The server was booted"),
}
CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP")
ENDED = (
    kinds.CRASHED,
    kinds.OOM_KILLED,
    kinds.FAILED,
)  # nobody asks for these


class Told(NamedTuple):
    """An event and the command that was at work on its service then, None where there was none."""

    event: Event
    command: Command | None

    @property
    def id(self) -> str:
        """Its element's."""
        named = f"{self.event.name} {self.event.kind} {self.event.at.isoformat()}"
        return f"ev-{blake2s(named.encode(), digest_size=6).hexdigest()}"

    @property
    def title(self) -> str:
        """What happened, in a sentence."""
        name, ended = visible(self.event.name), str(self.event.facts.get("lastExit") or "")
        if self.event.kind == kinds.CRASHED and ended in CRASHES:
            return _("%(name)s crashed (%(signal)s)") % {"name": name, "signal": ended}
        if self.event.kind == kinds.CRASHED and ended.startswith("SIG"):
            return _("%(name)s was killed (%(signal)s)") % {"name": name, "signal": ended}
        if self.event.kind == kinds.CRASHED and ended.isdecimal():
            return _("%(name)s ended with status %(status)s") % {"name": name, "status": ended}
        return str(WORDS[self.event.kind]) % {"name": name}

    @property
    def details(self) -> list[str]:
        """What proves it, and what came of it."""
        facts, said = self.event.facts, []
        if facts.get("runs") and self.event.kind in ENDED:
            said.append(_("came back by itself"))
        elif facts.get("restarts"):
            said.append(_("restarts: %(n)s") % {"n": facts["restarts"]})
        if self.event.kind == kinds.FAILED and facts.get("result"):
            said.append(visible(str(facts["result"])))
        if facts.get("pidBefore") and facts.get("pidNow"):
            said.append(f"PID {facts['pidBefore']} → {facts['pidNow']}")
        elif facts.get("pidBefore") or facts.get("pidNow"):
            said.append(f"PID {facts.get('pidBefore') or facts.get('pidNow')}")
        return said

    @property
    def meanwhile(self) -> bool:
        """Whether the command was only at work when it happened: nobody asks for a crash."""
        return self.event.kind in ENDED


def newest(server_id: int, limit: int, **only: Any) -> list[Told]:
    """The server's newest events, newest first; only: what service_history.newest takes. Two queries."""
    return with_commands(server_id, service_history.newest(server_id, limit, **only))


def not_so_any_more(command: Command) -> Told | None:
    """What ended, soon after it and without another command, the state that the command had proved."""
    if command.state != states.SUCCEEDED or command.cmd not in PROVING or command.ended_at is None:
        return None
    until = command.ended_at + SOON
    told = newest(command.server_id, MOST_EVENTS, name=command.target, since=command.ended_at, before=until)
    undone = [one for one in told if one.command in (None, command) and one.event.kind in UNDOING]
    return undone[-1] if undone else None


def with_commands(server_id: int, events: list[Event]) -> list[Told]:
    """Each event with the command that was at work on its service then."""
    commands = _at_work(server_id, events) if events else []
    return [Told(event, next((one for one in commands if _did(one, event)), None)) for event in events]


def _at_work(server_id: int, events: list[Event]) -> list[Command]:
    first, last = min(map(_began, events)), max(event.at for event in events)
    since = Q(ended_at__gte=first - MARGIN) | Q(ended_at=None)
    began = Command.objects.filter(since, server=server_id, target__in={event.name for event in events})
    return list(began.filter(started_at__lte=last + MARGIN).order_by("-id"))


def _did(command: Command, event: Event) -> bool:
    if command.target != event.name or command.started_at is None:
        return False
    ends: Iterable[datetime] = (end for end in (command.ended_at, command.execute_by) if end)
    end = min(ends, default=event.at)
    return command.started_at - MARGIN <= event.at and _began(event) <= end + MARGIN


def _began(event: Event) -> datetime:
    """The earliest it can have been."""
    return event.at - timedelta(seconds=float(event.facts.get("withinSec") or 0))
