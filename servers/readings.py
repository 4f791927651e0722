"""The timeline of the server page: each reading's value, now or at a past moment, and lanes on one time axis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pmonitor.templatetags import show
from servers import past, state_history, state_words
from servers.curves import Axis, Value, area, drawn, line, round_up, y
from servers.models import Newest

POINTS = 240  # at most, in a lane
MB = 1_000_000
A_DAY = 86_400  # seconds
METRICS = ("cpu", "mem", "load1", "load15", "diskReadBps", "diskWriteBps", "netRxBps", "netTxBps")


class Range(NamedTuple):
    """A choice of how much past is shown; seconds, seconds between two marks of the ruler, between two refreshes."""

    name: str
    word: Any
    seconds: int
    mark: int
    refresh: int


RANGES = {
    choice.name: choice
    for choice in (
        Range("15m", gettext_lazy("15 min"), 900, 180, 10),
        Range("1h", gettext_lazy("1 h"), 3600, 600, 30),
        Range("6h", gettext_lazy("6 h"), 21_600, 3600, 120),
        Range("24h", gettext_lazy("24 h"), 86_400, 10_800, 300),
        Range("7d", gettext_lazy("7 days"), 604_800, 86_400, 900),
        Range("30d", gettext_lazy("30 days"), 2_592_000, 432_000, 3600),
    )
}
DEFAULT = RANGES["1h"]
AROUND = timedelta(minutes=2)  # a reading that old still tells how it was: they are kept by the minute


class Lane(NamedTuple):
    """One reading's lane: what it is called, its newest value, its drawing."""

    id: str
    name: Any
    now: SafeString
    note: SafeString
    label: str
    drawing: SafeString
    top: str
    bottom: str


def now_values(newest: Newest | None, silent: bool) -> dict[str, SafeString]:
    """Each reading's newest value and its note, as elements with an id: what a live update sends."""
    return values_of({} if newest is None or silent else newest.readings, newest)


def values_at(server_id: int, moment: datetime, newest: Newest | None) -> dict[str, SafeString]:
    """The same of a past moment: the last reading up to it, or the average of its minute if no more is kept."""
    end = moment + timedelta(microseconds=1)
    found = past.readings(server_id, end - AROUND, end, 13, (*METRICS, "memUsedMB"))
    seen = {metric: points[-1].avg for metric, points in found.series.items() if points}
    if seen.get("mem"):
        seen["memTotalMB"] = 100 * seen["memUsedMB"] / seen["mem"]
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
    }
    notes = {
        "mem": _of_gb(used, total),
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
    newest: Newest | None, server_id: int, values: dict[str, SafeString], choice: Range, end: datetime | None = None
) -> dict[str, Any]:
    """What `_lanes.html` shows, up to now or to a past end; values: what the lanes' heads say."""
    end = end or timezone.now().replace(microsecond=0)
    start = end - timedelta(seconds=choice.seconds)
    found = past.readings(server_id, start, end, POINTS, METRICS)
    series = {metric: [(max(point.t, start), point.avg) for point in found.series[metric]] for metric in METRICS}
    interval = newest.interval_sec if newest else 10
    axis = Axis(start, end, timedelta(seconds=2.5 * max(found.step, interval)))
    states = state_history.of(server_id, start, end)
    return {
        "range": choice,
        "ranges": RANGES.values(),
        "axis": axis,
        "lanes": _lanes(series, values, axis, newest),
        "lane_states": state_words.lane(states, axis),
        "gaps": state_words.gaps(series["cpu"] or series["mem"], states.spells, axis),
        "marks": _marks(axis, choice),
    }


def _lanes(series: dict[str, list[Value]], now: dict[str, SafeString], axis: Axis, newest: Newest | None) -> list[Lane]:
    cores = (newest.facts.get("cpuCount") if newest else None) or 1
    load_top = round_up(max([cores * 1.25, *(value for _t, value in series["load1"])]))
    highest = max(series["cpu"], key=lambda point: point[1], default=None)
    peak = format_html(_("max {}% at {}"), show.plain(highest[1]), show.at(highest[0])) if highest else ""
    limit = f"M0 {y(cores, load_top)}H1000"
    cpu = drawn(("a", area(series["cpu"], 100, axis)))
    mem = drawn(("a s2", area(series["mem"], 100, axis)))
    load = drawn(
        ("limit", limit), ("a", area(series["load1"], load_top, axis)), ("line", line(series["load15"], load_top, axis))
    )
    note = format_html("<small>{}</small>", peak)
    return [
        Lane("cpu", _("CPU"), now["now-cpu"], note, _label(_("CPU"), axis), cpu, show.percent(100), "0"),
        Lane(
            "mem", _("Memory"), now["now-mem"], now["say-mem"], _label(_("Memory"), axis), mem, show.percent(100), "0"
        ),
        Lane(
            "load",
            _("Load"),
            now["now-load"],
            now["say-load"],
            _label(_("Load"), axis),
            load,
            show.plain(load_top),
            "0",
        ),
        _mirrored("disk", _("Disk"), now, series["diskReadBps"], series["diskWriteBps"], axis),
        _mirrored("net", _("Network"), now, series["netRxBps"], series["netTxBps"], axis),
    ]


def _mirrored(name: str, word: str, now: dict[str, SafeString], up: list[Value], down: list[Value], axis: Axis) -> Lane:
    top = round_up(max([MB / 10, *(value for _t, value in [*up, *down])]))
    scale = show.plain(top / MB, 0 if top >= MB else 1)
    drawing = drawn(("a", area(up, top, axis, upper=True)), ("a s2", area(down, top, axis, lower=True)))
    return Lane(name, word, now[f"now-{name}"], now[f"say-{name}"], _label(word, axis), drawing, scale, scale)


def _label(word: str, axis: Axis) -> str:
    words = {"reading": word, "from": f"{axis.start:%H:%M}", "to": f"{axis.end:%H:%M}"}
    return _("%(reading)s from %(from)s to %(to)s UTC") % words


def _marks(axis: Axis, choice: Range) -> list[dict[str, Any]]:
    first = -(-int(axis.start.timestamp()) // choice.mark) * choice.mark
    seconds = range(first, int(axis.end.timestamp()), choice.mark)
    moments = [datetime.fromtimestamp(second, UTC) for second in seconds]
    return [
        {
            "x": f"{axis.x(t) / 10:.2f}",
            "at": t,
            "minor": number % 2 == 0,
            "labelled": axis.x(t) < 880,
            "day": choice.mark >= A_DAY,
        }
        for number, t in enumerate(moments)
    ]


def _of_gb(used: float | None, total: float | None) -> str:
    if used is None or not total:
        return ""
    return _("%(used)s of %(total)s GB") % {"used": show.plain(used / 1024, 1), "total": show.plain(total / 1024, 1)}


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
