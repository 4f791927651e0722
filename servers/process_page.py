"""One process's own page: its CPU and memory over a stretch of its life, its parent and its children at a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, past, past_page, process_rows, server_page
from servers.curves import Axis, area, drawn, round_up
from servers.known import Then, known
from servers.models import Newest, Server
from servers.moments import Asked
from servers.past import Value
from servers.wire import Proc

POINTS = 480  # at most, in a line
GAP = timedelta(seconds=60)  # a process that was not seen for longer was away, or its server was


class Stretch(NamedTuple):
    """A choice of how much is shown, around the moment."""

    name: str
    word: Any
    length: timedelta


STRETCHES = {
    stretch.name: stretch
    for stretch in (
        Stretch("1h", gettext_lazy("1 h"), timedelta(hours=1)),
        Stretch("6h", gettext_lazy("6 h"), timedelta(hours=6)),
        Stretch("24h", gettext_lazy("24 h"), timedelta(hours=24)),
        Stretch("7d", gettext_lazy("7 days"), timedelta(days=7)),
    )
}
USUAL = STRETCHES["6h"]


def context(server: Server, pid: int, ticks: int, query: Mapping[str, str], asked: Asked | None) -> dict[str, Any]:
    """What process.html shows; ticks as the address has them, 0 where they are not known."""
    now = timezone.now()
    then, newest = known(server.pk, asked.at if asked else now), server_page.newest_of(server.pk)
    procs = past_page.processes(then.table)
    one = _found(procs, pid, ticks)
    stretch = STRETCHES.get(query.get("range", ""), USUAL)
    start, end = _around(then.at, now, stretch.length)
    line = past.line(server.pk, pid, one.start_ticks if one else ticks or None, start, end + timedelta(microseconds=1))
    relatives = _relatives(one, procs)
    was = one or _last_seen(server.pk, pid, ticks, line)
    frame = past_page.frame_of(newest, then, "../")
    page = {"at": moments.written(then.at)} if asked else {}
    return {
        "server": server,
        "short": show.first_label(visible(server.hostname)),
        "name": visible(was.name) if was else _("Process %(pid)s") % {"pid": pid},
        "pid": str(pid),
        "one": was and {"user": visible(was.user), "cmdline": visible(was.cmdline), "status": one and _status(one)},
        "then": _band(server, query, then) if asked else None,
        "back": f"{reverse('servers:detail', args=[server.agent_id])}{'?' + urlencode(page, safe=':') if page else ''}",
        "started": _started(newest, ticks, then),
        "stretches": STRETCHES.values(),
        "stretch": stretch,
        "relatives": mark_safe(process_rows.rows(relatives, frame)),  # noqa: S308  it escapes
        "related": max(0, len(relatives) - 1),  # without itself
        "columns": server_page.columns(server_page.COLUMNS["cpu"], True),
        "gone": one is None and bool(line) and end - line[-1][0] > GAP,
        **_drawn(line, then, start, end, newest),
    }


def _last_seen(server_id: int, pid: int, ticks: int, line: Sequence[Value]) -> Proc | None:
    """The process as it was when it was seen last, None where it was not."""
    table = past.table(server_id, line[-1][0]) if line else None
    return _found(past_page.processes(table), pid, ticks)


def _found(procs: Sequence[Proc], pid: int, ticks: int) -> Proc | None:
    return next((proc for proc in procs if (proc.pid, proc.start_ticks or 0) == (pid, ticks)), None)


def _around(moment: datetime, now: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """Half of the length after the moment, or as much of it as there is."""
    end = min(now, moment + length / 2) if moment <= now else now
    return end - length, end


def _drawn(line: Sequence[Value], then: Then, start: datetime, end: datetime, newest: Newest | None) -> dict[str, Any]:
    axis = Axis(start, end, max(GAP, 3 * (end - start) / POINTS))
    seen = min(line, key=lambda value: abs(value[0] - then.at)) if line else None
    cpu, mem = ([(value[0], value[n]) for value in line if value[n] is not None] for n in (1, 2))
    whole = newest.mem_total_mb if newest else None
    return {
        "lanes": [
            _lane(_("CPU"), "a", cpu, axis, show.percent(seen[1], 1) if seen else show.nothing(), _core),
            _lane(_("Memory"), "a s2", mem, axis, _mb(seen[2]) if seen else show.nothing(), _mb),
        ],
        "axis": axis,
        "samples": len(line),
        "first": line[0][0] if line else None,
        "last": line[-1][0] if line else None,
        "playhead": f"{min(1000.0, axis.x(min(then.at, end))) / 10:.2f}",
        "whole_mb": f"{whole:.0f}" if whole else "",
    }


def _lane(
    name: str,
    css: str,
    values: Sequence[Any],
    axis: Axis,
    now: SafeString | str,
    worded: Callable[[float], SafeString | str],
) -> dict[str, Any]:
    """One of the two lanes; css: its curve's class; worded: a value with its unit."""
    most = max((value for _at, value in values), default=0)
    top = round_up(max(10.0, most))
    return {
        "name": name,
        "now": now,
        "note": format_html(_("at most {}"), worded(most)),
        "drawing": drawn((css, area(_fewer(values, axis), top, axis))),
        "top": worded(top),
    }


def _core(value: float) -> SafeString:
    return show.percent(value, 1 if value < 10 else 0)


def _mb(value: float) -> str:
    return f"{show.plain(value)} MB"


def _fewer(values: Sequence[tuple[datetime, float]], axis: Axis) -> list[tuple[datetime, float]]:
    """The highest of each step, so that no peak is lost."""
    best: dict[int, tuple[datetime, float]] = {}
    step = (axis.end - axis.start) / POINTS
    for at, value in values:
        place = (at - axis.start) // step
        if place not in best or value > best[place][1]:
            best[place] = at, value
    return list(best.values())


def _relatives(one: Proc | None, procs: Sequence[Proc]) -> list[Proc]:
    """The parent, the process, its children."""
    if one is None:
        return []
    return [*(proc for proc in procs if proc.pid == one.ppid and proc is not one), one, *_children(one, procs)]


def _children(one: Proc, procs: Sequence[Proc]) -> list[Proc]:
    return [proc for proc in procs if proc.ppid == one.pid and proc is not one]


def _started(newest: Newest | None, ticks: int, then: Then) -> datetime | None:
    """By the boot and the ticks; not known of a boot before the one the server is in now."""
    frame = past_page.frame_of(newest, then, "")
    if not ticks or frame.boot_time is None or not frame.ticks_per_sec:
        return None
    at = frame.boot_time + ticks / frame.ticks_per_sec
    return datetime.fromtimestamp(at, UTC) if at < then.now.timestamp() + process_rows.A_DAY else None


def _status(one: Proc) -> str:
    return str(process_rows.STATUS_WORDS.get(one.status) or visible(one.status))


def _band(server: Server, query: Mapping[str, str], then: Then) -> dict[str, Any]:
    """The band's way to now leads to the process's page without a moment."""
    live = {name: query[name] for name in ("range",) if query.get(name)}
    asked = {name: value for name, value in query.items() if name not in ("from", "to")}
    return past_page.band(server, asked, then) | {"live": f"?{urlencode(live)}"}
