"""The timeline of the server page: each reading's value, now or at a past moment, and lanes on one time axis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from pmonitor.templatetags import show
from servers import lanes, past, ranges, state_history, state_words, watching
from servers.curves import Axis
from servers.lanes import MB, METRICS
from servers.models import Newest
from servers.ranges import A_DAY, Window

POINTS = 240  # at most, in a lane
AROUND = timedelta(minutes=2)  # a reading that old still tells how it was: they are kept by the minute


def now_values(newest: Newest | None, silent: bool) -> dict[str, SafeString]:
    """Each reading's newest value and its note, as elements with an id: what a live update sends."""
    seen = {} if newest is None or silent else {**newest.readings, "procs": newest.procs_total}
    return values_of(seen, newest)


def values_at(server_id: int, moment: datetime, newest: Newest | None) -> dict[str, SafeString]:
    """The same of a past moment: the last reading up to it, or the average of its minute if no more is kept."""
    end = moment + timedelta(microseconds=1)
    found = past.readings(server_id, end - AROUND, end, 13, (*METRICS, "memUsedMB", "swapUsedMB"))
    seen = {metric: points[-1].avg for metric, points in found.series.items() if points}
    for part in ("mem", "swap"):
        if seen.get(part):
            seen[f"{part}TotalMB"] = 100 * seen[f"{part}UsedMB"] / seen[part]
    return values_of(seen, newest)


def values_of(seen: Mapping[str, Any], newest: Newest | None) -> dict[str, SafeString]:
    """Readings by the protocol's names as elements."""
    total = seen.get("memTotalMB")
    used = seen.get("memUsedMB")
    values = {
        "cpu": show.percent(_rounded(seen.get("cpu"))),
        "mem": show.percent(round(100 * used / total) if used is not None and total else None),
        "load": show.nothing() if seen.get("load1") is None else show.plain(seen["load1"], 2),
        "disk": _rate(_sum(seen.get("diskReadBps"), seen.get("diskWriteBps"))),
        "net": _rate(_sum(seen.get("netRxBps"), seen.get("netTxBps"))),
        "procs": show.nothing() if seen.get("procs") is None else show.plain(seen["procs"]),
    }
    notes = {
        **({"cpu": parts} if (parts := _parts(seen)) else {}),
        "mem": _memory_note(used, total, seen),
        "load": _load_note(seen, newest),
        "disk": _two_ways(_("↑ read %(up)s, ↓ write %(down)s"), seen.get("diskReadBps"), seen.get("diskWriteBps")),
        "net": _two_ways(_("↑ in %(up)s, ↓ out %(down)s"), seen.get("netRxBps"), seen.get("netTxBps")),
    }
    made = {
        f"now-{name}": format_html('<span class="live-value" id="now-{}">{}</span>', name, value)
        for name, value in values.items()
    }
    return made | {
        f"say-{name}": format_html('<small id="say-{}">{}</small>', name, note) for name, note in notes.items()
    }


def context(
    newest: Newest | None, server_id: int, values: dict[str, SafeString], window: Window, at: datetime | None = None
) -> dict[str, Any]:
    """What `_lanes.html` and `_range.html` show of a stretch; values: what the lanes' heads say, of now or of at."""
    found, axis = series(newest, server_id, window)
    cores = (newest.facts.get("cpuCount") if newest else None) or 1
    seen = [(max(point.t, axis.start), point.avg) for point in found.series["cpu"] or found.series["mem"]]
    states = state_history.of(server_id, axis.start, axis.end)
    return {
        "window": window,
        "nowhere": not window.live,  # where the playhead is
        "ranges": ranges.RANGES.values(),
        "ways": ranges.ways(window),
        "axis": axis,
        "said": {"start": lanes.said(axis.start, axis), "end": lanes.said(axis.end, axis)},
        "grid": {  # of the lanes' values: when the first step begins, seconds of one, up to which gap one still tells
            "first": str(lanes.first_step(found, axis)),
            "step": str(found.step),
            "hold": f"{axis.gap.total_seconds():.0f}",
        },
        "lanes": lanes.lanes(found, axis, values, cores),
        "lane_states": state_words.lane(states, axis, at),
        "gaps": state_words.gaps(seen, states.spells, axis),
        "marks": _marks(axis, window),
    }


def series(newest: Newest | None, server_id: int, window: Window) -> tuple[past.Readings, Axis]:
    """The readings of a stretch as lanes draw them, and their axis."""
    found = past.readings(server_id, window.start, window.end, POINTS, METRICS)
    interval = max(newest.interval_sec, watching.usual()) if newest else 10
    return found, Axis(window.start, window.end, timedelta(seconds=2.5 * max(found.step, interval)))


def _marks(axis: Axis, window: Window) -> list[dict[str, Any]]:
    return [
        {
            "x": f"{axis.x(t) / 10:.2f}",
            "at": t,
            "minor": number % 2 == 0,
            "labelled": axis.x(t) < 880,
            "day": window.mark >= A_DAY,
        }
        for number, t in enumerate(ranges.marks(window))
    ]


def _parts(seen: Mapping[str, Any]) -> str:
    """What CPU was spent on, where the agent tells it."""
    names = ("cpuUser", "cpuSystem", "cpuIowait")
    if any(seen.get(name) is None for name in names):
        return ""
    words = dict(zip(("user", "system", "wait"), (show.plain(seen[name]) for name in names), strict=True))
    return _("user %(user)s, system %(system)s, wait %(wait)s") % words


def _of_gb(used: float | None, total: float | None) -> str:
    if used is None or not total:
        return ""
    return _("%(used)s of %(total)s GB") % {"used": show.plain(used / 1024, 1), "total": show.plain(total / 1024, 1)}


def _memory_note(used: float | None, total: float | None, seen: Mapping[str, Any]) -> str:
    swap, of = seen.get("swapUsedMB"), seen.get("swapTotalMB")
    if not swap or not of:
        return _of_gb(used, total)
    return _("%(memory)s, swap %(swap)s") % {"memory": _of_gb(used, total), "swap": lanes.percent(100 * swap / of)}


def _load_note(seen: Mapping[str, Any], newest: Newest | None) -> str:
    cores = newest.facts.get("cpuCount") if newest else None
    if seen.get("load15") is None or not cores:
        return ""
    return _("15 min %(load)s, dotted: %(cores)s CPU") % {"load": show.plain(seen["load15"], 2), "cores": cores}


def _two_ways(words: str, up: float | None, down: float | None) -> str:
    if up is None or down is None:
        return ""
    return words % {"up": show.plain(up / MB, 1), "down": show.plain(down / MB, 1)}


def _rate(bytes_per_sec: float | None) -> SafeString:
    if bytes_per_sec is None:
        return show.nothing()
    return format_html('{}<span class="unit"> MB/s</span>', show.plain(bytes_per_sec / MB, 1))


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
