"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from actions import audit_page, service_page
from alerts import audit_words, timeline
from alerts.incidents import fleet_part, header, live, palette, server_part
from alerts.notify import escalation, queueing
from alerts.notify import live as contacts_live
from alerts.quiet import live as silences_live
from alerts.quiet import words as silence_words
from alerts.remedy import noting
from alerts.remedy import words as remedy_words
from alerts.rules import audit_words as rule_words
from alerts.rules import palette as rules_palette
from pmonitor import page
from pmonitor.live import TOPICS
from servers import fleet, search, server_page, standing


def register() -> None:
    """Called once, when all apps are ready."""
    TOPICS.update(live.TOPICS | contacts_live.TOPICS | silences_live.TOPICS)
    timeline.LISTENERS += [queueing.hear, escalation.hear]
    page.BESIDE["incidents:list"] = header.beside
    standing.TROUBLES.update(fleet_part.TROUBLES)
    fleet.TOTALS.insert(0, fleet_part.total)
    fleet.RAIL.append(fleet_part.rail)
    server_page.PARTS.append(
        server_page.Part(server_part.panels, server_part.lane, then=server_part.then, between=server_part.between)
    )
    service_page.PARTS.append(server_part.of_service)
    search.FINDERS.extend((palette.incidents, palette.actions, rules_palette.rules))
    for events in (audit_words.EVENTS, rule_words.EVENTS, silence_words.EVENTS):
        audit_page.EVENTS.update({event: word for event, (_glyph, word) in events.items()})
        audit_page.GLYPHS.update({event: glyph for event, (glyph, _word) in events.items()})
    audit_page.ABOUT |= {
        "incident": audit_words.incident,
        "rule": rule_words.about,
        "silence": silence_words.about,
        "contact": audit_words.contact,
    }
    timeline.LISTENERS.append(noting.hear)
    audit_page.EVENTS.update(remedy_words.EVENTS)
    audit_page.GLYPHS.update(remedy_words.GLYPHS)
