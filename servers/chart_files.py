"""A stretch of a server's readings to take away: a table (CSV), and a picture (SVG) that needs nothing around it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.http import HttpResponse
from django.template.loader import get_template

from pmonitor.visible import visible
from servers import history, past_readings, ranges, readings
from servers.curves import Axis
from servers.lanes import Lane
from servers.models import Newest, Server
from servers.ranges import A_DAY, Window

ROWS = 1000  # at most, in a table
WIDTH, LEFT, RIGHT, LANE, HEAD, FOOT = 1200, 170, 70, 90, 44, 28  # pixels of the picture
PLOT = WIDTH - LEFT - RIGHT
GREY = "#575c66"
COLOURS = {"": "#14559c", "s2": "#0f7378", "s3": "#935800", "s4": GREY}  # by a curve's series: those of light pages


def table(server: Server, window: Window) -> HttpResponse:
    """A row for each step that has readings: when it begins (UTC), then average, least and most of each metric."""
    lines = [",".join(["time", *(f"{metric} {of}" for metric in history.METRICS for of in ("avg", "min", "max"))])]
    for t, *values in past_readings.table(server.pk, window.start, window.end, ROWS)[1]:
        if any(value is not None for value in values):
            # As JSON writes numbers, of which there are thousands: csv's writer takes as long as all of the rest.
            told = msgspec.json.encode([None if value is None else round(value, 3) for value in values]).decode()
            lines.append(f"{t:%Y-%m-%dT%H:%M:%SZ},{told[1:-1].replace('null', '')}")
    return _file("\n".join([*lines, ""]), "text/csv; charset=utf-8", server, window, "csv")


def picture(server: Server, newest: Newest | None, window: Window) -> HttpResponse:
    """The lanes one under another, with their scales, the time axis and its gaps, in colours of its own."""
    made = readings.context(newest, server.pk, readings.values_of({}, newest), window)
    bottom = HEAD + LANE * len(made["lanes"])
    places = {"width": WIDTH, "height": bottom + FOOT, "left": LEFT, "right": LEFT + PLOT, "plot": PLOT}
    places |= {"head": HEAD, "bottom": bottom, "below": bottom + 18, "tall": bottom - HEAD, "beside": LEFT + PLOT + 6}
    shown = {
        "name": visible(server.hostname),
        "said": f"{window.start:%Y-%m-%d %H:%M:%S} – {window.end:%Y-%m-%d %H:%M:%S} UTC",
        "place": {name: str(pixels) for name, pixels in places.items()},  # as text: numbers are written for readers
        "lanes": [_lane(lane, HEAD + LANE * number) for number, lane in enumerate(made["lanes"])],
        "marks": [_mark(t, made["axis"], window) for t in ranges.marks(window)],
        "gaps": [
            {**gap, **{name: f"{PLOT * float(gap[name]) / 100:.1f}" for name in ("x", "width")}} for gap in made["gaps"]
        ],
    }
    return _file(get_template("chart.svg").render(shown), "image/svg+xml", server, window, "svg")


def _lane(lane: Lane, y: int) -> dict[str, Any]:
    told = json.loads(lane.values)
    return {
        "name": lane.name,
        "unit": told["unit"],
        "legend": [(name, COLOURS[css]) for name, css, *_rest in told["series"] if name],
        "y": str(y),
        "top": lane.top,
        "bottom": lane.bottom,
        "curves": [_curve(*css.partition(" ")[::2], path) for css, path in lane.curves if path],
    }


def _curve(kind: str, series: str, path: str) -> dict[str, str]:
    """How a curve of this kind is drawn: an area with its line, a band, or a dotted line."""
    colour = COLOURS[series]
    if kind == "band":
        return {"path": path, "fill": colour, "opacity": ".2", "stroke": "none", "dash": "none"}
    if kind == "a":
        return {"path": path, "fill": colour, "opacity": ".12", "stroke": colour, "dash": "none"}
    return {"path": path, "fill": "none", "opacity": "1", "stroke": GREY, "dash": "2 4"}


def _mark(t: datetime, axis: Axis, window: Window) -> dict[str, str]:
    """A mark of the ruler: its place, and when that is, UTC."""
    time = f"{t:%H:%M}" if window.length <= timedelta(days=1) else f"{t:%m-%d %H:%M}"
    return {
        "x": f"{LEFT + PLOT * axis.x(t) / 1000:.1f}",
        "word": f"{t:%Y-%m-%d}" if window.mark >= A_DAY else time,
    }


def _file(text: str, kind: str, server: Server, window: Window, ending: str) -> HttpResponse:
    name = f"{server.agent_id}_{window.start:%Y%m%dT%H%M%SZ}_{window.end:%Y%m%dT%H%M%SZ}.{ending}"
    return HttpResponse(text, kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _along(percent: str) -> str:
    """A share of the plot in its own units."""
    return f"{PLOT * float(percent) / 100:.1f}"
