"""What actions add to the pages of the apps below: live topics, panels of the server page, a cell of the dashboard."""

from __future__ import annotations

from actions import in_flight, live, server_part
from pmonitor.live import TOPICS
from servers import fleet, server_page


def register() -> None:
    """Called once, when all apps are ready."""
    TOPICS.update(live.TOPICS)
    server_page.PARTS.append(server_page.Part(server_part.panels, server_part.lane))
    fleet.TOTALS.append(in_flight.total)
