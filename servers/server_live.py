"""The server page's topic `server:<id>`: after a report, its head, its readings, and what moved in its processes."""

from __future__ import annotations

from typing import Any

from pmonitor.live import Shown, View
from servers import process_live, readings, server_page, standing, states
from servers.models import Server


def may_watch(user: Any, keys: set[str]) -> set[str]:
    """The numbers of servers in the user's scope."""
    numbers = [int(key) for key in keys if key.isdecimal() and len(key) < 19]  # what a bigint holds
    return keys & {
        str(pk) for pk in Server.objects.visible_to(user).filter(pk__in=numbers).values_list("pk", flat=True)
    }


def update(key: str, view: View, before: Shown | None) -> tuple[Shown, list[str]]:
    """The fragments that changed, then the process table's cells and rows, one message for each kind."""
    server = Server.objects.annotate(standing=standing.standing()).get(pk=int(key))
    newest = server_page.newest_of(server.pk)
    procs, frame = server_page.processes(newest), server_page.frame_of(newest, view.role)
    fragments: dict[str, str] = {
        **server_page.fragments(server, newest, len(procs)),
        **readings.now_values(newest, server.state == states.SILENT),
    }
    shown = process_live.shown(procs)
    now = Shown(
        server_page.version(server, newest),
        {"fragments": fragments, "procs": shown, "end": frame.end and frame.end.version},
    )
    if before is None:
        return now, ["".join(fragments.values()), process_live.whole(procs, frame)]
    old = before.parts["fragments"]
    small = "".join(html for name, html in fragments.items() if old.get(name) != html)
    if before.parts["end"] != now.parts["end"]:
        return now, [m for m in (small, process_live.whole(procs, frame)) if m]
    return now, [m for m in (small, *process_live.changes(before.parts["procs"], shown, procs, frame)) if m]
