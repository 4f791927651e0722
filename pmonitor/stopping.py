"""How a stopping web process tells those that wait in it, so that agents' long-polls are answered, not cut."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def on_stop(listener: Callable[[], None]) -> None:
    """Call the listener once, in the event loop's thread, when this web process begins to stop."""
    _listeners.append(listener)


def begin() -> None:
    """The process stops; serve calls this."""
    while _listeners:
        _listeners.pop()()
