"""Every live topic of the pages about servers, by kind."""

from __future__ import annotations

from pmonitor.live import TOPICS, Topic, by_id
from servers import enrol_page, fleet_live, server_live, watching

OURS = {
    "row": Topic(server_live.may_watch, fleet_live.update_row),
    "fleet": Topic(fleet_live.may_watch_fleet, by_id(fleet_live.render_fleet)),
    "enrol": Topic(enrol_page.may_watch, by_id(enrol_page.render), every=0.5),
    "server": Topic(server_live.may_watch, server_live.update, looked_at=watching.look),
}


def register() -> None:
    """Make them known to the page's sockets; called once, by the app's AppConfig."""
    TOPICS.update(OURS)
