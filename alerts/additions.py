"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from actions import audit_page
from alerts import moves
from alerts.notify import live as contacts_live
from alerts.notify import queueing
from alerts.notify import words as contact_words
from pmonitor.live import TOPICS


def register() -> None:
    """Called once, when all apps are ready."""
    TOPICS.update(contacts_live.TOPICS)
    moves.LISTENERS.append(queueing.hear)
    audit_page.EVENTS.update({event: word for event, (_glyph, word) in contact_words.AUDIT.items()})
    audit_page.GLYPHS.update({event: glyph for event, (glyph, _word) in contact_words.AUDIT.items()})
