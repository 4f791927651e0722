"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from actions import audit_page
from alerts.rules import audit_words as rule_words


def register() -> None:
    """Called once, when all apps are ready."""
    audit_page.EVENTS.update({event: word for event, (_glyph, word) in rule_words.EVENTS.items()})
    audit_page.GLYPHS.update({event: glyph for event, (glyph, _word) in rule_words.EVENTS.items()})
