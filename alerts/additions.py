"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from actions import audit_page, service_page
from alerts import audit_words, timeline
from alerts.incidents import fleet_part, header, live, palette, server_part
from alerts.quiet import words as silence_words
from alerts.remedy import noting
from alerts.remedy import words as remedy_words
from pmonitor import page
from pmonitor.live import TOPICS
from servers import fleet, search, server_page, standing


def register() -> None:
    """Called once, when all apps are ready."""
    TOPICS.update(live.TOPICS)
    page.BESIDE["incidents:list"] = header.beside
    standing.TROUBLES.update(fleet_part.TROUBLES)
    fleet.TOTALS.insert(0, fleet_part.total)
    server_page.PARTS.append(
        server_page.Part(server_part.panels, server_part.lane, then=server_part.then, between=server_part.between)
    )
    service_page.PARTS.append(server_part.of_service)
    search.FINDERS.extend((palette.incidents, palette.actions))
    for events in (audit_words.EVENTS, silence_words.EVENTS):
        audit_page.EVENTS.update({event: word for event, (_glyph, word) in events.items()})
        audit_page.GLYPHS.update({event: glyph for event, (glyph, _word) in events.items()})
    audit_page.ABOUT |= {"incident": audit_words.incident, "silence": silence_words.about}
    timeline.LISTENERS.append(noting.hear)
    audit_page.EVENTS.update(remedy_words.EVENTS)
    audit_page.GLYPHS.update(remedy_words.GLYPHS)
