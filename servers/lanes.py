"""The lanes of a timeline out of series of readings: what each draws, its scale, its values for who points at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from pmonitor.templatetags import show
from servers.curves import Axis, area, band, drawn, line, round_up, y
from servers.past_readings import EPOCH, Point, Readings

METRICS = (
    "cpu", "cpuUser", "cpuSystem", "cpuIowait", "cpuSteal", "mem", "swap", "load1", "load15", "diskReadBps",
    "diskWriteBps", "netRxBps", "netTxBps", "procs",
)  # fmt: skip
MB = 1_000_000
SEEN = 0.05  # percent: what is less in every step is not drawn
Points = Sequence[Point]
Heads = Mapping[str, SafeString]


class Lane(NamedTuple):
    """One lane: what it is called, its head's newest value and note, its curves (class, path), the ends of its scale.

    values: of each of its readings the name, class, averages, least and most over the steps, as JSON.
    """

    id: str
    name: str
    now: SafeString
    note: SafeString | str
    label: str
    curves: list[tuple[str, str]]
    top: str
    bottom: str
    values: str

    @property
    def drawing(self) -> SafeString:
        """The curves as SVG."""
        return drawn(*self.curves)


def lanes(found: Readings, axis: Axis, heads: Heads, cores: int) -> list[Lane]:
    """All of them; heads: each reading's newest value and note by the elements' ids."""
    make: tuple[Callable[..., Lane], ...] = (_cpu, _memory, _load)
    return [
        *(one(found, axis, heads, cores) for one in make),
        _mirrored("disk", _("Disk"), ("diskReadBps", _("read")), ("diskWriteBps", _("write")), found, axis, heads),
        _mirrored("net", _("Network"), ("netRxBps", _("in")), ("netTxBps", _("out")), found, axis, heads),
        _processes(found, axis, heads),
    ]


def said(t: datetime, axis: Axis) -> str:
    """A moment for an accessible name, UTC; with its day where the axis is longer than one."""
    return f"{t:%H:%M}" if (axis.end - axis.start).days < 1 else f"{t:%Y-%m-%d %H:%M}"


def percent(value: float) -> str:
    """A percentage as text."""
    return f"{show.plain(value)}{pgettext('after a number', '%')}"


def _cpu(found: Readings, axis: Axis, heads: Heads, _cores: int) -> Lane:
    whole, system = found.series["cpu"], found.series["cpuSystem"]
    wait, steal = found.series["cpuIowait"], found.series["cpuSteal"]
    waits, stolen = (max((point.avg for point in points), default=0) >= SEEN for points in (wait, steal))
    curves = [
        ("band", band(whole, 100, axis)),
        ("a", area(_at(whole, axis), 100, axis)),
        ("a s2", area(_at(system, axis), 100, axis)),
        ("band s3", band(_between(whole, steal, -1), 100, axis) if stolen else ""),  # a part of the whole
        ("band s4", band(_between(whole, wait, 1), 100, axis) if waits else ""),  # on top of it
    ]
    parts = [("", "", whole), (_("user"), "", found.series["cpuUser"]), (_("system"), "s2", system)]
    parts += [(_("I/O wait"), "s4", wait), (_("steal"), "s3", steal)]
    peak = _peak(whole)
    note = heads.get("say-cpu") or format_html("<small>{}</small>", _peak_said(*peak, axis) if peak else "")
    label, values = _cpu_label(axis, peak), _values(parts, found, axis, 1)
    return Lane("cpu", _("CPU"), heads["now-cpu"], note, label, curves, percent(100), "0", values)


def _memory(found: Readings, axis: Axis, heads: Heads, _cores: int) -> Lane:
    used, swap = found.series["mem"], found.series["swap"]
    curves = [
        ("band s2", band(used, 100, axis)),
        ("a s2", area(_at(used, axis), 100, axis)),
        ("line", line(_at(swap, axis), 100, axis)),
    ]
    values = _values([("", "s2", used), (_("swap"), "s4", swap)], found, axis, 1)
    label = _label(_("Memory"), axis)
    return Lane("mem", _("Memory"), heads["now-mem"], heads["say-mem"], label, curves, percent(100), "0", values)


def _load(found: Readings, axis: Axis, heads: Heads, cores: int) -> Lane:
    one, fifteen = found.series["load1"], found.series["load15"]
    top = _top(cores * 1.25, one, fifteen)
    curves = [
        ("limit", f"M0 {y(cores, top)}H1000"),
        ("band", band(one, top, axis)),
        ("a", area(_at(one, axis), top, axis)),
        ("line", line(_at(fifteen, axis), top, axis)),
    ]
    values = _values([("", "", one), (_("15 min"), "s4", fifteen)], found, axis, 2, "")
    label = _label(_("Load"), axis)
    return Lane("load", _("Load"), heads["now-load"], heads["say-load"], label, curves, show.plain(top), "0", values)


def _mirrored(
    name: str, word: str, up: tuple[str, str], down: tuple[str, str], found: Readings, axis: Axis, heads: Heads
) -> Lane:
    above, below = found.series[up[0]], found.series[down[0]]
    top = _top(MB / 10, above, below)
    scale = show.plain(top / MB, 0 if top >= MB else 1)
    curves = [
        ("band", band(above, top, axis, upper=True)),
        ("a", area(_at(above, axis), top, axis, upper=True)),
        ("band s2", band(below, top, axis, lower=True)),
        ("a s2", area(_at(below, axis), top, axis, lower=True)),
    ]
    values = _values([(f"↑ {up[1]}", "", above), (f"↓ {down[1]}", "s2", below)], found, axis, 2, " MB/s", MB)
    label = _label(word, axis)
    return Lane(name, word, heads[f"now-{name}"], heads[f"say-{name}"], label, curves, scale, scale, values)


def _processes(found: Readings, axis: Axis, heads: Heads) -> Lane:
    there = found.series["procs"]
    top = _top(10, there)
    curves = [("band", band(there, top, axis)), ("a", area(_at(there, axis), top, axis))]
    values, label = _values([("", "", there)], found, axis, 0, ""), _label(_("Processes"), axis)
    return Lane("procs", _("Processes"), heads["now-procs"], "", label, curves, show.plain(top), "0", values)


def _at(points: Points, axis: Axis) -> list[tuple[datetime, float]]:
    """The averages at their places on the axis."""
    return [(max(point.t, axis.start), point.avg) for point in points]


def _between(whole: Points, parts: Points, sign: int) -> list[Point]:
    """From the whole to it with (sign 1) or without (-1) the part, step by step."""
    more = {point.t: sign * point.avg for point in parts}
    ends = [(point, sorted((point.avg, point.avg + more[point.t]))) for point in whole if point.t in more]
    return [Point(point.t, point.avg, least, most) for point, (least, most) in ends]


def _top(least: float, *series: Points) -> float:
    return round_up(max([least, *(point.max for points in series for point in points)]))


def _values(
    parts: Sequence[tuple[str, str, Points]],
    found: Readings,
    axis: Axis,
    decimals: int,
    unit: str | None = None,
    of: float = 1,
) -> str:
    first = first_step(found, axis)
    told: list[Any] = []
    for name, css, points in parts:
        if not points:
            continue
        steps = [int((point.t - EPOCH).total_seconds() - first) // found.step for point in points]
        spread = any(point.min != point.max for point in points)
        columns = ("avg", "min", "max") if spread else ("avg",)
        told.append([name, css, *(_column(steps, points, column, decimals, of) for column in columns)])
    said = pgettext("after a number", "%") if unit is None else unit
    return msgspec.json.encode({"unit": said, "decimals": decimals, "series": told}).decode()


def _column(steps: Sequence[int], points: Points, name: str, decimals: int, of: float) -> list[float | None]:
    column: list[float | None] = [None] * (steps[-1] + 1)
    for step, value in zip(steps, map(attrgetter(name), points), strict=True):
        rounded = round(value / of, decimals)
        column[step] = int(rounded) if rounded.is_integer() else rounded
    return column


def first_step(found: Readings, axis: Axis) -> int:
    """When the step that the axis begins in begins, in seconds since 1970."""
    return int(axis.start.timestamp()) // found.step * found.step


def _label(word: str, axis: Axis) -> str:
    words = {"reading": word, "from": said(axis.start, axis), "to": said(axis.end, axis)}
    return _("%(reading)s from %(from)s to %(to)s UTC") % words


def _peak(points: Points) -> tuple[datetime, float] | None:
    """The highest reading, and when its step began."""
    highest = max(points, key=lambda point: point.max, default=None)
    return (highest.t, highest.max) if highest else None


def _cpu_label(axis: Axis, peak: tuple[datetime, float] | None) -> str:
    label = _label(_("CPU"), axis)
    if peak is None:
        return label
    highest = _("max %(value)s at %(time)s") % {"value": percent(peak[1]), "time": f"{peak[0]:%Y-%m-%d %H:%M} UTC"}
    return f"{label}, {highest}"


def _peak_said(t: datetime, value: float, axis: Axis) -> SafeString:
    form = "time" if axis.end - axis.start <= timedelta(days=1) else "short"
    return format_html(_("max {}% at {}"), show.plain(value), show.at(t, form))
