"""A preview's curve with its limit: a dotted line, and the limit in words right at that line."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.safestring import SafeString

from servers import curves

ROOM = 25  # of the drawing's height: what the words need above the line


class Drawn(NamedTuple):
    """As SVG in the units of servers.curves. words_y: how far down the line is; below: the words are under it."""

    paths: SafeString
    words_y: str
    below: bool


def drawn(limit: float, top: float, *paths: tuple[str, str]) -> Drawn:
    """The paths, each (class, d), and over them the limit; top: the value at the drawing's upper edge."""
    height = curves.y(limit, top)
    return Drawn(curves.drawn(*paths, ("limit", f"M0 {height}H1000")), height, float(height) < ROOM)
