"""What differs between the moment that a page shows and now, or another moment; for `_compared.html`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, pgettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, process_rows, server_page, service_history
from servers.compare import Compared, compare
from servers.known import known
from servers.models import Newest, Server
from servers.moments import Asked
from servers.past import Snapshot
from servers.past_words import not_there
from servers.ranges import RANGES
from servers.wire import Proc

MOST = 50  # rows of each kind
EARLIER = ("1h", "24h", "7d")  # by as much as these ranges; one press away
HALF_A_DAY = timedelta(hours=12)  # moments further apart are told with their days
NOW = timedelta(minutes=1)  # a newest table older than that is not "now"


def context(server: Server, asked: Asked, table: Snapshot | None, newest: Newest | None) -> dict[str, Any]:
    """The differences, from the earlier moment to the later one; nothing is compared where one of them is not known."""
    other, missing = _other(server, asked, newest)
    made: dict[str, Any] = {
        "with": moments.written(asked.beside) if asked.beside else "",
        "with_at": asked.beside,
        "missing": missing,
        "found": None,
        "earlier": [
            {"word": RANGES[name].word, "with": moments.written(asked.at - timedelta(seconds=RANGES[name].seconds))}
            for name in EARLIER
        ],
    }
    if table is None or other is None:
        return made
    first, last = sorted((table, other), key=lambda snapshot: snapshot.sampled_at)
    booted = service_history.booted(server.pk, first.sampled_at, last.sampled_at)
    found = compare(first.procs, last.procs, booted is not None)
    shown = [row for rows in _rows(found, first.sampled_at, last.sampled_at) for row in rows]
    return made | {
        "from": first.sampled_at,
        "to": last.sampled_at if asked.beside or last.sampled_at < timezone.now() - NOW else None,
        "form": "time" if last.sampled_at - first.sampled_at < HALF_A_DAY else "short",
        "booted": booted,
        "found": found,
        "rows": mark_safe("".join(shown)),  # noqa: S308  _row escapes
        "left_out": len(found.new) + len(found.gone) + len(found.restarted) + len(found.grown) - len(shown),
    }


def _other(server: Server, asked: Asked, newest: Newest | None) -> tuple[Snapshot | None, SafeString | str]:
    """The table to compare with, or why there is none."""
    if asked.beside is None:
        if newest is None:
            return None, ""
        return Snapshot(newest.sampled_at, 0.0, newest.procs_total, server_page.processes(newest)), ""
    then = known(server.pk, asked.beside)
    return then.table, "" if then.table else not_there(then.at, then.now, then.before, then.after)


def _rows(found: Compared, first: datetime, last: datetime) -> Iterator[list[str]]:
    before, after = (f"?at={moments.written(at)}" for at in (first, last))
    kinds: list[tuple[str, str, str, str, list[tuple[Proc, ...]]]] = [
        ("new", "plus", pgettext("process", "New"), after, [(proc,) for proc in found.new]),
        ("gone", "x", pgettext("process", "Gone"), before, [(proc,) for proc in found.gone]),
        ("restarted", "restart", pgettext("process", "Restarted"), after, list(found.restarted)),
        ("grown", "sort", pgettext("process", "Grown"), after, list(found.grown)),
    ]
    for kind, icon, word, query, differing in kinds:
        what = f'<td class="gl"><span class="with-i">{show.icon(icon)}{escape(word)}</span></td>'
        yield [_row(kind, what, query, procs) for procs in differing[:MOST]]


def _row(kind: str, what: str, query: str, procs: Sequence[Proc]) -> str:
    """What differs of one process, as HTML; procs: before and after, or the only one. Escapes what an agent sent."""
    one = procs[-1]
    key, pid = process_rows.key(one), " → ".join(dict.fromkeys(str(proc.pid) for proc in procs))
    name, user, cmdline = (escape(visible(text)) for text in (one.name, one.user or "", one.cmdline or ""))
    shown = [process_rows.cells(proc, get_language()) for proc in procs]
    cpu = [cells.cpu for cells, proc in zip(shown, procs, strict=True) if proc.cpu is not None]
    mem = [cells.mem for cells in shown]
    return (
        f'<tr id="dif-{kind}-{key}">{what}<th scope="row"><bdi class="clip" title="{name}">'
        f'<a href="processes/{key}/{query}">{name or "—"}</a></bdi></th>'
        f'<td class="num p3" title="{pid}">{pid}</td><td class="num" title="{" → ".join(cpu)}">{_moved(cpu)}</td>'
        f'<td class="num" title="{" → ".join(mem)}">{_moved(mem)}</td>'
        f'<td class="p4"><bdi title="{user}">{user}</bdi></td>'
        f'<td class="p3 mono muted" title="{cmdline}"><bdi>{cmdline}</bdi></td></tr>'
    )


def _moved(values: list[str]) -> str:
    """One value and the other; of what is only in one of the tables, that one."""
    if len(values) == 2:
        return f'<span class="muted">{values[0]} →</span> {values[1]}'
    return values[0] if values else show.nothing()
