"""The last cell of a row of the process table: the way to signal or renice, where somebody may."""

from __future__ import annotations

from html import escape

from django.utils.translation import gettext as _

from actions import processes, service_rows
from pmonitor.templatetags import show
from servers import process_rows
from servers.models import Newest
from servers.process_rows import End
from servers.wire import Proc


def end(newest: Newest | None, role: str) -> End | None:
    """The cell for those who may act; empty where the agent cannot or its server's owner does not allow it."""
    if newest is None or not service_rows.can_act(role):
        return None
    facts, icon, words = newest.facts, show.icon("signal"), escape(_("Signal PID %(pid)s"))

    def cell(proc: Proc) -> str:
        if not processes.offered(facts, proc):
            return "<td></td>"
        label = words % {"pid": proc.pid}  # the row's head says its name
        address = f"processes/{process_rows.key(proc)}/act/"  # relative: the page is the server's
        return f'<td><a class="btn quiet icon small" href="{address}" aria-label="{label}">{icon}</a></td>'

    return End((facts.get("features"), facts.get("allow"), facts.get("bootId")), cell)
