"""What the server page shows: the server and its newest report, its readings, its process table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.http import Http404
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import clock_skew, disks_panel, process_rows, proctable, ranges, readings, standing, state_words, states
from servers.models import Newest, Server
from servers.process_rows import Frame
from servers.ranges import Window
from servers.wire import Proc


class Fell(NamedTuple):
    """Something that fell into a stretch of time: what it was and to what, the row that tells it; ref: of a command."""

    at: datetime
    kind: str  # "command", "event"
    target: str
    what: str  # a verb, a kind of event
    state: str
    ref: str
    html: Callable[[], str]


class Part(NamedTuple):
    """What another app adds to the server page."""

    panels: Callable[[Server, str, Mapping[str, str]], dict[str, Any]]  # (server, role, query): for the templates
    lane: Callable[[Server, datetime, datetime], dict[str, Any]]  # a lane of the timeline, from start to end
    # (newest, role): a last cell for each row of the process table, None where that role gets none
    row_end: Callable[[Newest | None, str], process_rows.End | None] = lambda _newest, _role: None
    then: Callable[[Server, datetime], dict[str, Any]] = lambda _server, _moment: {}  # panels as of a past moment
    between: Callable[[Server, datetime, datetime], list[Fell]] = lambda _server, _start, _end: []


PARTS: list[Part] = []  # filled by the apps' AppConfigs


class Column(NamedTuple):
    """One column of the process table; key sorts it, `first`: the first click puts the highest on top."""

    name: str
    head: Any
    css: str
    first: bool
    key: Callable[[Proc], Any]


COLUMNS = {
    column.name: column
    for column in (
        Column("name", gettext_lazy("Name"), "w7", False, lambda proc: proc.name.lower()),
        Column("pid", gettext_lazy("PID"), "w2 num p2", False, lambda proc: proc.pid),
        Column("user", gettext_lazy("User"), "w3 p3", False, lambda proc: proc.user or ""),
        Column("cpu", gettext_lazy("CPU %"), "w4 num", True, lambda proc: -1 if proc.cpu is None else proc.cpu),
        Column("mem", gettext_lazy("Memory MB"), "w4 num", True, lambda proc: proc.mem_mb or 0),
        Column("state", gettext_lazy("Status"), "w3 p4", False, lambda proc: proc.status),
        Column("threads", gettext_lazy("Threads"), "w2 num p5", True, lambda proc: proc.threads or 0),
        Column("start", gettext_lazy("Started"), "w2 num p3", True, lambda proc: proc.start_ticks or 0),
        Column("cmd", gettext_lazy("Command line"), "p2", False, lambda proc: (proc.cmdline or "").lower()),
    )
}
USUAL = "cpu"


def find(user: Any, agent_id: str) -> Server:
    """The server of that id in the user's scope, with its group and how it stands; else a 404."""
    rows = Server.objects.visible_to(user).select_related("group").annotate(standing=standing.standing())
    server: Server | None = rows.filter(agent_id=agent_id.replace("\0", "")).first()
    if server is None:
        raise Http404
    return server


def newest_of(server_id: int) -> Newest | None:
    """The server's newest report, None before the first."""
    return Newest.objects.filter(server=server_id).defer("raw_procs").first()


def context(server: Server, role: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Everything server.html shows; query: the timeline's stretch, ps (the process table's order).

    Raises WrongMoment, WrongRange.
    """
    window = ranges.asked(query)
    newest = newest_of(server.pk)
    procs, frame = processes(newest), frame_of(newest, role)
    column, descending = order_of(query.get("ps", ""))
    procs.sort(key=column.key, reverse=descending)
    made = {
        "server": server,
        "name": show.first_label(visible(server.hostname)),
        "labels": [f"{visible(str(name))}={visible(str(value))}" for name, value in server.labels.items()],
        "facts": facts(newest),
        "figure": state_words.figure(server),
        "parts": {name.replace("-", "_"): html for name, html in fragments(server, newest, len(procs)).items()},
        "columns": columns(column, descending),
        "whole_mb": f"{newest.mem_total_mb:.0f}" if newest and newest.mem_total_mb else "",
        "row_end": frame.end is not None,
        "process_rows": mark_safe(process_rows.rows(procs, frame)),  # noqa: S308  process_rows escapes
        **timeline(server, newest, window),
    }
    for part in PARTS:
        made |= part.panels(server, role, query)
    return made


def timeline(server: Server, newest: Newest | None, window: Window) -> dict[str, Any]:
    """What `_lanes.html` shows, the lanes of other apps with it."""
    values = readings.now_values(newest, server.state == states.SILENT)
    return lanes(server, readings.context(newest, server.pk, values, window))


def lanes(server: Server, made: dict[str, Any]) -> dict[str, Any]:
    """The readings' context, and the lanes of other apps with it."""
    for part in PARTS:
        made |= part.lane(server, made["axis"].start, made["axis"].end)
    return {"server": server, **made}


def processes(newest: Newest | None) -> list[Proc]:
    """The process table of the newest report, one row for each process."""
    if newest is None or not newest.procs:
        return []
    return list({process_rows.key(proc): proc for proc in proctable.unpack(bytes(newest.procs))}.values())


def frame_of(newest: Newest | None, role: str) -> Frame:
    """What the rows of this server share, for readers of this role."""
    end = next((end for part in PARTS if (end := part.row_end(newest, role))), None)
    return process_rows.frame(newest.facts if newest else {}, newest.mem_total_mb if newest else None, end)


def order_of(wanted: str) -> tuple[Column, bool]:
    """The column and whether its highest comes first, out of "cpu" or "-cpu" (the other way round)."""
    column = COLUMNS.get(wanted.lstrip("-"), COLUMNS[USUAL])
    return column, column.first != wanted.startswith("-")


def columns(sorted_by: Column, descending: bool) -> list[dict[str, Any]]:
    """The heads of the process table, and what a click on each asks for."""
    other_way = f"-{sorted_by.name}" if descending == sorted_by.first else sorted_by.name
    return [
        {
            "name": column.name,
            "css": column.css,
            "first": column.first,
            "head": _memory_head() if column.name == "mem" else column.head,
            "next": other_way if column is sorted_by else column.name,
            "sorted": ("descending" if descending else "ascending") if column is sorted_by else "",
        }
        for column in COLUMNS.values()
    ]


def _memory_head() -> SafeString:
    return format_html('<span class="p2">{} </span>MB', _("Memory"))


def facts(newest: Newest | None) -> list[tuple[str, str]]:
    """What kind of machine it is, as names and values; what its agent does not tell is left out."""
    told = newest.facts if newest else {}
    named = [
        (_("System"), told.get("os")),
        (_("Kernel"), told.get("kernel")),
        (_("Hardware"), _hardware(told.get("cpuCount"), newest.mem_total_mb if newest else None)),
        (_("Address"), told.get("address")),
        (_("Time zone"), told.get("timeZone")),
        (_("Clock"), clock_skew.words(clock_skew.skew_of(newest))),
        (_("Agent"), told.get("version")),
    ]
    return [(name, visible(str(value))) for name, value in named if value]


def _hardware(cores: int | None, mem_mb: float | None) -> str:
    parts = [
        _("%(cores)s CPU") % {"cores": cores} if cores else "",
        f"{show.plain(mem_mb / 1024, 1)} GB" if mem_mb else "",
    ]
    return ", ".join(part for part in parts if part)


def version(server: Server, newest: Newest | None) -> str:
    """What a page compares to know whether it shows the newest."""
    return f"{newest.seq if newest else 0}-{standing.of(server)}"


def fragments(server: Server, newest: Newest | None, shown: int) -> dict[str, SafeString]:
    """The small live elements of the page by id; shown: how many processes are in the table."""
    return {
        "srv-version": _topic(server, newest),
        "srv-status": status(server),
        "srv-seen": format_html('<dd id="srv-seen">{}</dd>', show.age(newest.received_at, "ago") if newest else "—"),
        "srv-uptime": format_html('<span id="srv-uptime">{}</span>', _uptime(server, newest)),
        "proc-count": format_html(
            '<span class="count" id="proc-count">{}</span>', show.plain(newest.procs_total if newest else 0)
        ),
        "proc-started": _started(server, newest),
        "proc-notice": _notice(server, newest),
        "srv-disks": disks_panel.panel(newest),
        "proc-foot": format_html('<p class="panel-foot" id="proc-foot">{}</p>', _foot(newest, shown)),
    }


def _topic(server: Server, newest: Newest | None) -> SafeString:
    words = (server.pk, version(server, newest))
    return format_html('<span hidden id="srv-version" data-topic="server:{}" data-version="{}"></span>', *words)


def status(server: Server) -> SafeString:
    """The pill of how a server stands that was fetched with `standing`."""
    glyph, word = standing.SHOWN[standing.of(server)]
    return show.status(glyph, str(word), "pill", "srv-status")


def _uptime(server: Server, newest: Newest | None) -> SafeString:
    if newest is None or newest.uptime_sec is None or server.state == states.SILENT:
        return show.nothing()
    return show.duration(newest.uptime_sec)


def _started(server: Server, newest: Newest | None) -> SafeString:
    """How many processes no table has, because they end between two samples, can only be told by the kernel's count."""
    told = newest.readings if newest and server.state != states.SILENT else {}
    forks, seen = told.get("forks"), told.get("newProcs")
    if forks is None or seen is None:
        return SafeString('<small id="proc-started" hidden></small>')
    said = ngettext(
        "%(forks)s process or thread started since the last sample, %(seen)s seen here",
        "%(forks)s processes and threads started since the last sample, %(seen)s of them seen here",
        forks,
    ) % {"forks": show.plain(forks), "seen": show.plain(seen)}
    why = _("The kernel counts new processes and new threads. What ends before the next sample is in no table.")
    return format_html('<small id="proc-started" title="{}">{}</small>', why, said)


def _notice(server: Server, newest: Newest | None) -> SafeString:
    if newest is None:
        said = _("No report has come from this server yet.")
    elif server.state == states.SILENT:
        said = format_html(_("The server is silent: last values, from {}."), show.at(newest.received_at))
    else:
        return SafeString('<div id="proc-notice" hidden></div>')
    return format_html(
        '<div class="notice flush" id="proc-notice" data-state="silent">{}<span class="grow">{}</span></div>',
        show.glyph("silent"),
        said,
    )


def _foot(newest: Newest | None, shown: int) -> str:
    if newest and newest.procs_total > shown:
        words = {"shown": show.plain(shown), "total": show.plain(newest.procs_total)}
        first = ngettext("%(shown)s of %(total)s shown.", "%(shown)s of %(total)s shown.", newest.procs_total) % words
        return f"{first} {_limit()}"
    return _limit()


def _limit() -> str:
    return _("The agent reports up to 500 processes: the busiest, and every service's main process.")
