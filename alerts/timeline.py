"""Lines of incidents' timelines, and who is told of them: listeners in the transaction, pages after its commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from actions.models import Command
from alerts import states
from alerts.models import Incident, IncidentEntry
from pmonitor import live

# Told of what moved, in the transaction: (move of states.ENTRIES, the incidents, as they are now). Of many at once they
# are told as of one: of the whole, and never of a member. The one exception is JOINED: those that listeners were told
# of before, and which from now on are members; listeners are not told of them again.
LISTENERS: list[Callable[[str, Sequence[Incident]], None]] = []
MANY = 50  # from so many on, every page is told instead of each incident's own


class OutsideTransaction(RuntimeError):
    """A move must commit or vanish together with what makes it."""


def note(
    kind: str,
    incidents: Sequence[Incident],
    *,
    actor: str = "",
    text: str = "",
    facts: dict[str, Any] | None = None,
    at: dict[int, Any] | None = None,
    command: Command | None = None,
) -> None:
    """Write a line of the timeline of each, tell the listeners and, after the commit, the pages.

    at: by the incident's number, the moment of its line; now where it has none. command: a remedy's.
    """
    in_transaction()
    if not incidents:
        return
    now = timezone.now()
    IncidentEntry.objects.bulk_create(
        IncidentEntry(
            incident=one,
            at=(at or {}).get(one.pk) or now,
            kind=kind,
            actor=actor,
            text=text,
            facts=facts or {},
            command=command,
        )
        for one in incidents
    )
    if told := [one for one in incidents if one.whole_id is None or kind == states.JOINED]:
        for listen in LISTENERS:
            listen(kind, told)
    announce(incidents)


def announce(incidents: Sequence[Incident]) -> None:
    """Tell the pages that show these incidents, after the commit."""
    if not incidents:
        return
    topics = ["incidents:all", "nav-incidents:all", "fleet:all"]
    if len(incidents) > MANY:
        topics += ["incident:all", "alerts:all", "row:all"]
    else:
        servers = sorted({one.server_id for one in incidents if one.server_id})
        numbers = sorted({number for one in incidents for number in (one.pk, one.whole_id) if number})
        topics += [f"incident:{number}" for number in numbers]
        topics += [f"{kind}:{server}" for server in servers for kind in ("alerts", "row")]
    live.announce(*topics)


def in_transaction() -> None:
    """Raise OutsideTransaction where there is none."""
    if not connection.in_atomic_block:
        raise OutsideTransaction
