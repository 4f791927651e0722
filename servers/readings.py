"""The timeline of the server page: each reading's newest value, and its past as lanes on one time axis.

A lane's drawing is 1000 wide and 100 high; missing data is a gap, never a line across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pmonitor.templatetags import show
from servers import history
from servers.models import Newest

POINTS = 240  # at most, in a lane
MB = 1_000_000
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
        Range("48h", gettext_lazy("48 h"), 172_800, 21_600, 300),
    )
}
DEFAULT = RANGES["1h"]

Value = tuple[datetime, float]


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


class Axis(NamedTuple):
    """The time range shown, and up to which gap two points are still one line."""

    start: datetime
    end: datetime
    gap: timedelta

    def x(self, t: datetime) -> float:
        """Where a moment is, 0 to 1000."""
        return 1000 * (t - self.start) / (self.end - self.start)


def now_values(newest: Newest | None, silent: bool) -> dict[str, SafeString]:
    """Each reading's newest value and its note, as elements with an id: what a live update sends."""
    seen = {} if newest is None or silent else newest.readings
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


def context(newest: Newest | None, server_id: int, silent: bool, choice: Range) -> dict[str, Any]:
    """What `_lanes.html` shows; one query."""
    end = timezone.now().replace(microsecond=0)
    start = end - timedelta(seconds=choice.seconds)
    step, series = _series(server_id, start, end)
    interval = newest.interval_sec if newest else 10
    axis = Axis(start, end, timedelta(seconds=2.5 * max(step, interval)))
    return {
        "range": choice,
        "ranges": RANGES.values(),
        "axis": axis,
        "lanes": _lanes(series, now_values(newest, silent), axis, newest),
        "gaps": _gaps(series["cpu"] or series["mem"], axis),
        "marks": _marks(axis, choice),
    }


def _series(server_id: int, start: datetime, end: datetime) -> tuple[int, dict[str, list[Value]]]:
    step = history.step_for((end - start).total_seconds(), POINTS)
    averages = ", ".join(f"avg({history.METRICS[metric]})" for metric in METRICS)
    query = (
        f"SELECT date_bin(make_interval(secs => %s), sampled_at, 'epoch') AS t, {averages}"  # noqa: S608
        f" FROM {history.HOST_READINGS} WHERE server_id = %s AND sampled_at > %s AND sampled_at <= %s"
        " GROUP BY 1 ORDER BY 1"
    )
    series: dict[str, list[Value]] = {metric: [] for metric in METRICS}
    with connection.cursor() as cursor:
        cursor.execute(query, [step, server_id, start, end])
        for t, *values in cursor.fetchall():
            for metric, value in zip(METRICS, values, strict=True):
                if value is not None:
                    series[metric].append((max(t, start), value))
    return step, series


def _lanes(series: dict[str, list[Value]], now: dict[str, SafeString], axis: Axis, newest: Newest | None) -> list[Lane]:
    cores = (newest.facts.get("cpuCount") if newest else None) or 1
    load_top = _round_up(max([cores * 1.25, *(value for _t, value in series["load1"])]))
    highest = max(series["cpu"], key=lambda point: point[1], default=None)
    peak = format_html(_("max {}% at {}"), show.plain(highest[1]), show.at(highest[0])) if highest else ""
    limit = f"M0 {_y(cores, load_top)}H1000"
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
    top = _round_up(max([MB / 10, *(value for _t, value in [*up, *down])]))
    scale = show.plain(top / MB, 0 if top >= MB else 1)
    drawing = drawn(("a", area(up, top, axis, upper=True)), ("a s2", area(down, top, axis, lower=True)))
    return Lane(name, word, now[f"now-{name}"], now[f"say-{name}"], _label(word, axis), drawing, scale, scale)


def _label(word: str, axis: Axis) -> str:
    words = {"reading": word, "from": f"{axis.start:%H:%M}", "to": f"{axis.end:%H:%M}"}
    return _("%(reading)s from %(from)s to %(to)s UTC") % words


def area(values: Sequence[Value], top: float, axis: Axis, upper: bool = False, lower: bool = False) -> str:
    """A filled curve, broken at gaps; upper and lower draw into that half only, growing from the middle."""
    base = "50" if upper or lower else "106"
    drawn = []
    for run in _runs(values, axis):
        points = [f"{axis.x(t):.0f} {_y(value, top, upper, lower)}" for t, value in run]
        first, last = f"{axis.x(run[0][0]):.0f}", f"{axis.x(run[-1][0]):.0f}"
        drawn.append(f"M{first} {base}L{'L'.join(points)}L{last} {base}")
    return "".join(drawn)


def line(values: Sequence[Value], top: float, axis: Axis) -> str:
    """A curve, broken at gaps."""
    return "".join(
        "M" + "L".join(f"{axis.x(t):.0f} {_y(value, top)}" for t, value in run) for run in _runs(values, axis)
    )


def _runs(values: Sequence[Value], axis: Axis) -> list[list[Value]]:
    runs: list[list[Value]] = []
    for point in values:
        if runs and point[0] - runs[-1][-1][0] <= axis.gap:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _y(value: float, top: float, upper: bool = False, lower: bool = False) -> str:
    share = min(1.0, max(0.0, value / top))
    if upper:
        return f"{50 - 46 * share:.1f}"
    if lower:
        return f"{50 + 46 * share:.1f}"
    return f"{100 - 96 * share:.1f}"


def _gaps(values: Sequence[Value], axis: Axis) -> list[dict[str, str]]:
    """Where nothing came between two reports, as x and width in percent."""
    between = pairwise(values)
    return [
        {"x": f"{axis.x(before) / 10:.2f}", "width": f"{(axis.x(after) - axis.x(before)) / 10:.2f}"}
        for (before, _b), (after, _a) in between
        if after - before > axis.gap
    ]


def _marks(axis: Axis, choice: Range) -> list[dict[str, Any]]:
    first = -(-int(axis.start.timestamp()) // choice.mark) * choice.mark
    seconds = range(first, int(axis.end.timestamp()), choice.mark)
    moments = [datetime.fromtimestamp(second, UTC) for second in seconds]
    return [
        {"x": f"{axis.x(t) / 10:.2f}", "at": t, "minor": number % 2 == 0, "labelled": axis.x(t) < 880}
        for number, t in enumerate(moments)
    ]


def _of_gb(used: float | None, total: float | None) -> str:
    if used is None or not total:
        return ""
    return _("%(used)s of %(total)s GB") % {"used": show.plain(used / 1024, 1), "total": show.plain(total / 1024, 1)}


def _load_note(seen: dict[str, Any], newest: Newest | None) -> str:
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


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 …, so that a scale rarely moves."""
    step = 1.0
    while step < value:
        for factor in (1, 2, 5):
            if step * factor >= value:
                return step * factor
        step *= 10
    return step


def drawn(*paths: tuple[str, str]) -> SafeString:
    """The paths, each (class, d), as SVG; empty ones are left out."""
    made = "".join(f'<path class="{kind}" d="{d}"/>' for kind, d in paths if d)
    return mark_safe(made)  # noqa: S308  classes and numbers of our own
