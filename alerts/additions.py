"""What alerts add to what is below them: live topics, parts of the server page and the dashboard, metrics."""

from __future__ import annotations


def register() -> None:
    """Called once, when all apps are ready."""
