"""The server page as of a past moment: the same templates, read-only, and nothing of it is live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import (
    compared,
    moments,
    process_rows,
    ranges,
    readings,
    server_page,
    service_history,
    state_words,
    states,
)
from servers.known import Then, known
from servers.models import Newest, Server, Service
from servers.moments import Asked
from servers.past import Snapshot
from servers.past_words import not_there
from servers.process_rows import Frame
from servers.ranges import Window
from servers.services_then import services_then
from servers.standing import SHOWN
from servers.wire import Proc


def context(server: Server, query: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """Everything server.html shows of a past moment; query: the timeline's stretch, ps. Raises WrongRange."""
    window = ranges.asked(query)
    newest, then = server_page.newest_of(server.pk), known(server.pk, asked.at)
    column, descending = server_page.order_of(query.get("ps", ""))
    if window.choice:
        window = ranges.preset(
            query, end := _end(asked, then.now, window.length), end >= then.now.replace(microsecond=0)
        )
    values = readings.values_at(server.pk, asked.at, newest)
    lanes = server_page.lanes(server, readings.context(newest, server.pk, values, window, asked.at))
    return {
        "name": show.first_label(visible(server.hostname)),
        "labels": [f"{visible(str(name))}={visible(str(value))}" for name, value in server.labels.items()],
        "facts": server_page.facts(newest),
        "columns": server_page.columns(column, descending),
        "whole_mb": f"{newest.mem_total_mb:.0f}" if newest and newest.mem_total_mb else "",
        "row_end": False,
        **lanes,
        **_playhead(asked.at, window),
        **fragments(server, query, asked, then, newest),
    }


def moving(server: Server, query: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """What of the page is another one at another moment, for `_then.html`; the lanes too where the query says so."""
    if "lanes" in query:
        return context(server, query, asked)
    newest = server_page.newest_of(server.pk)
    values = readings.values_at(server.pk, asked.at, newest)
    made = fragments(server, query, asked, known(server.pk, asked.at), newest)
    return {"server": server, "values": mark_safe("".join(values.values())), **made}  # noqa: S308  made of escaped parts


def fragments(
    server: Server, query: Mapping[str, str], asked: Asked, then: Then, newest: Newest | None
) -> dict[str, Any]:
    """The parts that both have."""
    procs = processes(then.table)
    column, descending = server_page.order_of(query.get("ps", ""))
    procs.sort(key=column.key, reverse=descending)
    frame = frame_of(newest, then, "processes/")
    made: dict[str, Any] = {
        "then": band(server, query, then),
        "parts": {name.replace("-", "_"): html for name, html in _parts(then, newest, len(procs)).items()},
        "process_rows": mark_safe(process_rows.rows(procs, frame)),  # noqa: S308  process_rows escapes
        "services_then": [] if then.at > then.now else _services(server, then.at),
        "compared": compared.context(server, asked, then.table, newest),
    }
    for part in server_page.PARTS:
        made |= part.then(server, then.at)
    return made


def processes(table: Snapshot | None) -> list[Proc]:
    """The table's processes, one row for each."""
    return list({process_rows.key(proc): proc for proc in table.procs}.values()) if table else []


def frame_of(newest: Newest | None, then: Then, path: str) -> Frame:
    """What the rows share; when a process began is not known of boots before the one the server is in now."""
    frame = process_rows.frame(newest.facts if newest else {}, newest.mem_total_mb if newest else None)
    at = then.at.timestamp()
    boot = frame.boot_time if frame.boot_time is not None and frame.boot_time <= at else None
    query = escape(f"?{urlencode({'at': moments.written(then.at)}, safe=':')}")
    return frame._replace(boot_time=boot, then=process_rows.Then(at, path, query))


def band(server: Server, query: Mapping[str, str], then: Then) -> dict[str, Any]:
    """What `_asof.html` shows: the moment, and the ways to the samples beside it and to now."""
    kept: dict[str, str] = {name: query[name] for name in ("ps", "with") if query.get(name)}
    page = reverse("servers:detail", args=[server.agent_id])

    def to(moment: datetime | None) -> str:
        if moment is None:
            return ""
        told = {"at": moments.written(moment), **ranges.kept(query, moment), **kept}
        return f"?{urlencode(told, safe=':')}"

    live = urlencode({name: query[name] for name in ("range", "ps") if query.get(name)})
    return {
        "at": then.at,
        "iso": moments.written(then.at),
        "future": then.at > then.now,
        "previous": to(then.before),
        "next": to(then.after),
        "live": f"{page}?{live}" if live else page,
        "kept": ranges.kept(query, then.at),
    }


def _playhead(at: datetime, window: Window) -> dict[str, str | bool]:
    """Where the moment is in the stretch, in percent, and what is after it; nowhere in one that it is not on."""
    x = 100 * (min(at, window.end) - window.start) / window.length
    if x < 0 or (window.choice is None and at > window.end):
        return {"playhead": "", "rest": "100" if x < 0 else "0", "nowhere": True}
    return {"playhead": f"{x:.2f}", "rest": f"{100 - x:.2f}", "nowhere": False}


def _end(asked: Asked, now: datetime, length: timedelta) -> datetime:
    """Where the timeline ends: where the address says, now if the moment is so near, else half a length after it."""
    now = now.replace(microsecond=0)
    if asked.end is not None and asked.end - length <= asked.at <= asked.end <= now:
        return asked.end
    if asked.at >= now - length:
        return now
    return min(now, (asked.at + length / 2).replace(microsecond=0))


def _parts(then: Then, newest: Newest | None, shown: int) -> dict[str, SafeString]:
    """The small elements by id, as server_page.fragments has them of now."""
    table = then.table
    return {
        "srv-status": _status(then),
        "srv-seen": format_html('<dd id="srv-seen">{}</dd>', show.at(table.sampled_at) if table else show.nothing()),
        "srv-uptime": format_html('<span id="srv-uptime">{}</span>', _uptime(then, newest)),
        "proc-h": format_html(
            '<h2 id="proc-h">{}</h2>',
            format_html(_("Processes as of {}"), show.at(table.sampled_at if table else then.at, _form(then))),
        ),
        "proc-count": format_html(
            '<span class="count" id="proc-count">{}</span>', show.plain(table.procs_total if table else 0)
        ),
        "proc-notice": _notice(then),
        "proc-foot": format_html('<p class="panel-foot" id="proc-foot">{}</p>', _foot(table, shown)),
    }


def _form(then: Then) -> str:
    """Moments of other days are told with their day."""
    return "time" if abs(then.now - then.at) < timedelta(hours=12) else "full"


def _status(then: Then) -> SafeString:
    if then.table is None:
        return show.status("silent", _("Not known of this moment"), "pill", "srv-status")
    if then.silent and then.away:
        return show.status("silent", _("Hub away at this moment"), "pill", "srv-status")
    glyph, word = SHOWN[states.SILENT if then.silent else states.UP]
    words = pgettext("server", "%(state)s at this moment") % {"state": word}
    return show.status(glyph, words, "pill", "srv-status")


def _uptime(then: Then, newest: Newest | None) -> SafeString:
    boot = process_rows.frame(newest.facts if newest else {}, None).boot_time
    up = None if boot is None or then.table is None or then.silent else then.at.timestamp() - boot
    return show.duration(up) if up is not None and up >= 0 else show.nothing()


def _notice(then: Then) -> SafeString:
    if then.table is None:
        said = not_there(then.at, then.now, then.before, then.after, then.away)
    elif then.silent and then.away:
        said = format_html(
            _("{} at this moment: this is the last table before, from {}."),
            state_words.AWAY_WORDS[then.away.why],
            show.at(then.table.sampled_at),
        )
    elif then.silent:
        said = format_html(
            _("The server was silent at this moment: this is its last table, from {}, {} older."),
            show.at(then.table.sampled_at),
            show.duration((then.at - then.table.sampled_at).total_seconds()),
        )
    else:
        return SafeString('<div id="proc-notice" hidden></div>')
    return format_html(
        '<div class="notice flush" id="proc-notice" data-state="{}">{}<span class="grow">{}</span></div>',
        "silent" if then.table else "past",
        show.glyph("silent" if then.table else "past"),
        said,
    )


def _foot(table: Snapshot | None, shown: int) -> str:
    read_only = _("The past is read-only: signals and service actions need the live view.")
    if table is None or table.procs_total <= shown:
        return read_only
    words = {"shown": show.plain(shown), "total": show.plain(table.procs_total)}
    reported = ngettext(
        "%(shown)s of %(total)s process was reported.",
        "%(shown)s of %(total)s processes were reported.",
        table.procs_total,
    )
    return f"{reported % words} {read_only}"


def _services(server: Server, moment: datetime) -> list[dict[str, Any]]:
    listed = Service.objects.filter(server=server).only("name", "description", "active_state", "main_pid", "since")
    return [
        {
            "name": visible(one.name),
            "link": one.name,
            "description": visible(one.description),
            "state": one.state,
            "main_pid": one.main_pid,
            "since": one.since,
        }
        for one in services_then(listed, service_history.beside(server.pk, moment), moment)
    ]
