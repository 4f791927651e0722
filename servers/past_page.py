"""The server page as of a past moment: the same templates, read-only, and nothing of it is live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import (
    compared,
    fleet,
    hub_absences,
    moments,
    past,
    process_rows,
    readings,
    server_page,
    service_history,
    state_words,
    states,
)
from servers.models import HubAbsence, Newest, Server, Service
from servers.moments import Asked
from servers.past import Snapshot
from servers.past_words import not_there
from servers.process_rows import Frame
from servers.services_then import services_then
from servers.wire import Proc


class Then(NamedTuple):
    """What is known of the moment: the process table, and when the samples before and after it were taken."""

    at: datetime
    now: datetime
    table: Snapshot | None
    before: datetime | None
    after: datetime | None
    away: HubAbsence | None  # that the moment fell into

    @property
    def silent(self) -> bool:
        """Whether the server had missed its reports when the moment came."""
        missed = timedelta(seconds=max(60, settings.SILENT_AFTER_REPORTS * settings.REPORT_INTERVAL_SEC))
        return self.table is not None and self.at - self.table.sampled_at > missed


def known(server: Server, at: datetime) -> Then:
    """Look the moment up; four or five queries, of which each reads one chunk at most."""
    now = timezone.now()
    table = past.table(server.pk, at) if at <= now else None
    beside = past.neighbours(server.pk, table.sampled_at if table else min(at, now))
    return Then(at, now, table, *beside, hub_absences.covering(at))


def context(server: Server, query: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """Everything server.html shows of a past moment; query: range, ps."""
    newest, then = server_page.newest_of(server.pk), known(server, asked.at)
    column, descending = server_page.order_of(query.get("ps", ""))
    choice = server_page.range_of(query)
    end = _end(asked, then.now, timedelta(seconds=choice.seconds))
    values = readings.values_at(server.pk, asked.at, newest)
    lanes = server_page.lanes(server, readings.context(newest, server.pk, values, choice, end))
    return {
        "name": show.first_label(visible(server.hostname)),
        "labels": [f"{visible(str(name))}={visible(str(value))}" for name, value in server.labels.items()],
        "facts": server_page.facts(newest),
        "columns": server_page.columns(column, descending),
        "whole_mb": f"{newest.mem_total_mb:.0f}" if newest and newest.mem_total_mb else "",
        "row_end": False,
        "playhead": f"{(x := lanes['axis'].x(min(asked.at, end)) / 10):.2f}",
        "rest": f"{max(0.0, 100 - x):.2f}",
        "to": str(int(end.timestamp())) if end < then.now.replace(microsecond=0) else "",
        **lanes,
        **fragments(server, query, asked, then, newest),
    }


def moving(server: Server, query: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """What of the page is another one at another moment, for `_then.html`; the lanes too where the query says so."""
    if "lanes" in query:
        return context(server, query, asked)
    newest = server_page.newest_of(server.pk)
    values = readings.values_at(server.pk, asked.at, newest)
    made = fragments(server, query, asked, known(server, asked.at), newest)
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
    kept: dict[str, str] = {name: query[name] for name in ("range", "ps", "with", "to") if query.get(name)}
    page = reverse("servers:detail", args=[server.agent_id])

    def to(moment: datetime | None) -> str:
        return f"?{urlencode({'at': moments.written(moment), **kept}, safe=':')}" if moment else ""

    live = urlencode({name: value for name, value in kept.items() if name in ("range", "ps")})
    return {
        "at": then.at,
        "iso": moments.written(then.at),
        "future": then.at > then.now,
        "previous": to(then.before),
        "next": to(then.after),
        "live": f"{page}?{live}" if live else page,
        "kept": {name: value for name, value in kept.items() if name != "to"},
    }


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
            format_html(_("Processes as of {}"), show.at(table.sampled_at if table else then.at)),
        ),
        "proc-count": format_html(
            '<span class="count" id="proc-count">{}</span>', show.plain(table.procs_total if table else 0)
        ),
        "proc-notice": _notice(then),
        "proc-foot": format_html('<p class="panel-foot" id="proc-foot">{}</p>', _foot(table, shown)),
    }


def _status(then: Then) -> SafeString:
    if then.table is None:
        return show.status("silent", _("Not known of this moment"), "pill", "srv-status")
    if then.silent and then.away:
        return show.status("silent", _("Hub away at this moment"), "pill", "srv-status")
    glyph, word = fleet.SHOWN[states.SILENT if then.silent else states.UP]
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
            _("The server was silent at this moment: this is its last table, from {}."), show.at(then.table.sampled_at)
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
