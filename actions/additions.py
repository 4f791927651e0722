"""What actions add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from functools import partial

from django.db.models import Count

from actions import (
    happened_part,
    hub_absence,
    impact,
    in_flight,
    leases,
    lent_panel,
    lifecycle,
    live,
    process_cell,
    reads,
    server_part,
    service_log,
    service_page,
    states,
    waiting,
)
from actions.models import Command
from actions.rollouts import advance, probe
from actions.rollouts import live as rollouts_live
from actions.schedules import live as schedules_live
from pmonitor.live import TOPICS
from pmonitor.metrics import READINGS, Reading
from servers import fleet, hub_absences, ingest, server_page


def register() -> None:
    """Called once, when all apps are ready."""
    TOPICS.update(live.TOPICS | rollouts_live.TOPICS | schedules_live.TOPICS)
    lifecycle.MOVED.append(advance.nudge)
    reads.HEARD.append(advance.hear)
    impact.register()
    probe.register()
    service_log.register()
    service_page.PARTS.append(happened_part.of_service)
    server_page.PARTS.append(
        server_page.Part(server_part.panels, server_part.lane, process_cell.end, server_part.then, server_part.between)
    )
    fleet.TOTALS.append(in_flight.total)
    fleet.PANELS.append(lent_panel.panel)
    ingest.LISTENERS.append(leases.hear)
    hub_absences.LISTENERS.append(hub_absence.record)
    fleet.PARTS.append(partial(waiting.context, waiting.FLEET))
    READINGS.append(Reading("pmonitor_commands", "Commands by state.", "state", by_state))


def by_state() -> dict[str, float]:
    """How many commands are in each state."""
    rows = Command.objects.order_by().values_list("state").annotate(Count("pk"))
    return {**dict.fromkeys(states.STATES, 0), **dict(rows)}
