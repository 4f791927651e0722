"""What differs between the moment that a page shows and now, or another moment; for `_compared.html`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import pgettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, past, process_rows, server_page
from servers.compare import Compared, compare
from servers.models import Newest, Server
from servers.moments import Asked
from servers.past import Snapshot
from servers.past_words import not_there
from servers.wire import Proc

MOST = 50  # rows of each kind
NOW = timedelta(minutes=1)  # a newest table older than that is not "now"


def context(server: Server, asked: Asked, table: Snapshot | None, newest: Newest | None) -> dict[str, Any]:
    """The differences, from the earlier moment to the later one; nothing is compared where one of them is not known."""
    other, missing = _other(server, asked, newest)
    made: dict[str, Any] = {
        "with": moments.written(asked.beside) if asked.beside else "",
        "with_at": asked.beside,
        "missing": missing,
        "found": None,
    }
    if table is None or other is None:
        return made
    first, last = sorted((table, other), key=lambda snapshot: snapshot.sampled_at)
    found = compare(first.procs, last.procs)
    shown = [row for rows in _rows(found) for row in rows[:MOST]]
    return made | {
        "from": first.sampled_at,
        "to": last.sampled_at if asked.beside or last.sampled_at < timezone.now() - NOW else None,
        "found": found,
        "rows": shown,
        "left_out": len(found.new) + len(found.gone) + len(found.restarted) + len(found.grown) - len(shown),
    }


def _other(server: Server, asked: Asked, newest: Newest | None) -> tuple[Snapshot | None, SafeString | str]:
    """The table to compare with, or why there is none."""
    if asked.beside is None:
        if newest is None:
            return None, ""
        return Snapshot(newest.sampled_at, 0.0, newest.procs_total, server_page.processes(newest)), ""
    now = timezone.now()
    other = past.table(server.pk, asked.beside) if asked.beside <= now else None
    return other, "" if other else _why_not(server, asked.beside, now)


def _why_not(server: Server, moment: datetime, now: datetime) -> SafeString:
    return not_there(moment, now, *past.neighbours(server.pk, min(moment, now)))


def _rows(found: Compared) -> Iterator[list[dict[str, Any]]]:
    yield [_row("new", "plus", pgettext("process", "New"), None, proc) for proc in found.new]
    yield [_row("gone", "x", pgettext("process", "Gone"), proc, None) for proc in found.gone]
    yield [_row("restarted", "restart", pgettext("process", "Restarted"), *pair) for pair in found.restarted]
    yield [_row("grown", "sort", pgettext("process", "Grown"), *pair) for pair in found.grown]


def _row(kind: str, icon: str, word: str, before: Proc | None, after: Proc | None) -> dict[str, Any]:
    one = after or before
    assert one is not None  # noqa: S101  told to the type checker
    both = [proc for proc in (before, after) if proc]
    cpu = [show.plain(proc.cpu, 1) for proc in both if proc.cpu is not None]
    mem = [show.plain(proc.mem_mb) for proc in both]
    return {
        "kind": kind,
        "icon": icon,
        "word": word,
        "key": process_rows.key(one),
        "name": visible(one.name),
        "cmdline": visible(one.cmdline),
        "user": visible(one.user),
        "pid": " → ".join(dict.fromkeys(str(proc.pid) for proc in both)),
        "cpu": _moved(cpu),
        "cpu_said": " → ".join(cpu),
        "mem": _moved(mem),
        "mem_said": " → ".join(mem),
    }


def _moved(values: list[str]) -> SafeString:
    """One value and the other; of what is only in one of the tables, that one."""
    if len(values) == 2:
        return format_html('<span class="muted">{} →</span> {}', *values)
    return format_html("{}", values[0]) if values else show.nothing()
