"""The dashboard's live topics: a server's row, the totals of a scope, an enrolment key's steps."""

from __future__ import annotations

import zlib
from typing import Any

from django.template.loader import render_to_string

from pmonitor.live import Shown, View
from servers import fleet, fleet_totals, hub_away, standing
from servers.fleet import Row
from servers.fleet_totals import Totals

MOVED = 3  # percent points from which a change is pointed out


def update_row(key: str, view: View, before: Shown | None) -> tuple[Shown, list[str]]:
    """The server's row; cells that moved are marked."""
    row = fleet.row(int(key))
    if row is None:
        return Shown("", {}), [f'<tr id="srv-{int(key)}" hx-swap-oob="delete"></tr>']
    values = _values(row)
    moved = {name for name, value in values.items() if before and _moved(before.parts.get(name), value)}
    return Shown(row.version, values), [render_to_string("_server_row.html", {"row": row, "changed": moved})]


def _values(row: Row) -> dict[str, float | None]:
    return {} if row.gone else {"cpu": row.cpu, "mem": row.mem}


def _moved(old: float | None, new: float | None) -> bool:
    return (old is None) != (new is None) or (old is not None and new is not None and abs(old - new) >= MOVED)


def may_watch_fleet(user: Any, keys: set[str]) -> set[str]:
    """The scope that is exactly the servers the user sees."""
    return keys & {fleet.scope_of(user)}


def render_fleet(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The totals, the size in the page's head, the groups; on the empty page, that a server has come."""
    context = totals_context(key, fleet_totals.totals(fleet.in_scope(key)))
    names = ("totals", "fleet-size", "groups", "arrived", "hub-away")
    made = {name: render_to_string(f"_{name.replace('-', '_')}.html", context) for name in names}
    return context["version"], made | {panel.id: panel.html for panel in context["panels"]}


def totals_context(scope: str, totals: Totals) -> dict[str, Any]:
    """What the templates of the totals show; the page uses the same."""
    words = {name: word for name, (_glyph, word) in standing.SHOWN.items()}
    panels = [panel(fleet.in_scope(scope)) for panel in fleet.PANELS]
    away = hub_away.summary()
    version = f"{zlib.crc32(repr((totals, away, [panel.version for panel in panels])).encode()):x}"
    return {"scope": scope, "totals": totals, "words": words, "version": version, "panels": panels, "away": away}
