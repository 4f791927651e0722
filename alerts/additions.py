"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations

from actions import audit_page
from alerts import timeline
from alerts.remedy import noting
from alerts.remedy import words as remedy_words


def register() -> None:
    """Called once, when all apps are ready."""
    timeline.LISTENERS.append(noting.hear)
    audit_page.EVENTS.update(remedy_words.EVENTS)
    audit_page.GLYPHS.update(remedy_words.GLYPHS)
