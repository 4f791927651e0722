"""What the page that finds processes shows: the form, and what was found now or in the first part of the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import models
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from pmonitor.visible import visible
from servers import fleet, process_parts, process_search, process_search_rows, states
from servers.models import Server
from servers.process_asked import AT, BETWEEN, NOW, RANKS, Asked
from servers.process_parts import SHOWN, So
from servers.process_search import Gathered
from servers.process_search_rows import Place
from servers.twins import twin_of

WORDS = {
    NOW: pgettext_lazy("moment", "Now"),
    "hour": _("Last hour"),
    "day": _("Last 24 h"),
    AT: _("At a moment"),
    BETWEEN: pgettext_lazy("moments", "Between"),
}
NAMED = 5  # servers without such a process that are told by name
MOST_USERS = 3
EXAMPLES = (
    ("redis", _("in the name, the command line, the user or the service; or a PID")),
    ("name:python user:www-data", _("both of them, each in its place")),
    ('cmd:"--port 8080"', _("a part of the command line, spaces and all")),
    ("service:nginx", _("the service's processes and their children")),
    ("pid:4711", _("that PID, on any server")),
)


class Column(NamedTuple):
    """A column of what was found: its head, its classes, what it sorts by, if it does, and its unit, if it has one."""

    head: Any
    css: str
    sort: str = ""
    unit: str = ""


LEFT = (Column(_("Server"), "w7"), Column(_("Name"), "w5 p3"), Column(_("PID"), "w2 num p3"))
FOUND = (
    *LEFT, Column(_("User"), "w3 p3"),
    Column(_("CPU"), "w4 num", "cpu", "%"), Column(_("Memory"), "w4 num", "mem", "MB"), Column(_("Status"), "w3 p4"),
    Column(_("Threads"), "w2 num p5"), Column(_("Started"), "w2 num p4"),
    Column(_("Command line"), "p2"),
)  # fmt: skip
LIVES = (
    *LEFT, Column(_("User"), "w3 p4"), Column(_("First seen"), "w3 p2"), Column(_("Last seen"), "w3 p2"),
    Column(_("Most CPU"), "w3 num", "cpu", "%"), Column(_("Most memory"), "w4 num", "mem", "MB"),
    Column(_("Command line"), "p3"),
)  # fmt: skip


def context(user: Any, asked: Asked, so: So) -> dict[str, Any]:
    """What processes.html shows; of a search of the past one part, from where it is. Raises process_parts.Busy."""
    found = _then(user, asked, so._replace(shown=0)) if asked.in_past else _now(user, asked)
    return form(asked) | found


def form(asked: Asked) -> dict[str, Any]:
    """The form alone, and what could be looked for."""
    return {
        "asked": asked,
        "whens": [(name, word, name == asked.when) for name, word in WORDS.items()],
        "examples": EXAMPLES,
        "columns": _columns(asked),
        "shown_most": SHOWN,
    }


def further(user: Any, asked: Asked, so: So) -> dict[str, Any]:
    """A further part of a search of the past, for _processes_part.html. Raises process_parts.Busy."""
    return {"asked": asked, **_then(user, asked, so)}


def at(user: Any, asked: Asked, so: So) -> dict[str, Any]:
    """Where a search of the past is, without going on."""
    ids = sorted(_places(user, asked))
    return {"asked": asked, "so": so, "done": sum(pk <= so.after for pk in ids), "of": len(ids), "cursor": _cursor(so)}


def _now(user: Any, asked: Asked) -> dict[str, Any]:
    listed = _listed(user, asked)
    reporting = [pk for pk, state, _place in listed if state == states.UP]
    gathered = Gathered(RANKS[asked.sort], SHOWN)
    with process_parts.place():
        served = process_search.services(reporting, asked.wanted)
        process_search.now(reporting, asked.wanted, served, gathered)
    places = {pk: place for pk, _state, place in listed}
    hits = gathered.hits
    without = [places[pk] for pk in reporting if pk not in gathered.on]
    return {
        "rows": process_search_rows.of_hits(hits, places),
        "so": So(0, gathered.total, len(gathered.on), len(hits)),
        "without": without[:NAMED] if asked.where and gathered.on and not gathered.full else (),
        "without_count": len(without),
        "full": gathered.full,
        "of": len(listed),
        "silent": sum(state == states.SILENT for _pk, state, _place in listed),
        "users": [visible(name) for name, _many in gathered.users.most_common(MOST_USERS) if name],
        "more_users": len(gathered.users) > MOST_USERS,
        "cores": gathered.cpu / 100,
        "memory_gb": gathered.mem_mb / 1024,
    }


def _then(user: Any, asked: Asked, so: So) -> dict[str, Any]:
    with process_parts.place():
        part = process_parts.part(asked, so, _places(user, asked))
    return {**part._asdict(), "ended": part.ended, "cursor": _cursor(part.so)}


def _listed(user: Any, asked: Asked) -> list[tuple[int, str, Place]]:
    """The servers that are searched, by host name: id, state, and how rows name it."""
    servers: Any = Server.objects.visible_to(user).annotate(label_text=Cast("labels", models.TextField()))
    servers = fleet.matching(servers, fleet.Asked(q=asked.where)).annotate(twin=twin_of(Server))
    found = servers.order_by("hostname", "pk").values_list("pk", "state", "agent_id", "hostname", "twin")
    return [(pk, state, Place(*place)) for pk, state, *place in found]


def _places(user: Any, asked: Asked) -> Mapping[int, Place]:
    return {pk: place for pk, _state, place in _listed(user, asked)}


def _cursor(so: So) -> str:
    return "&".join(f"{name}={value}" for name, value in so._asdict().items())


def _columns(asked: Asked) -> list[dict[str, Any]]:
    wide = {"w3 p2": "w5 p2"} if asked.days else {}
    return [
        {**column._asdict(), "css": wide.get(column.css, column.css)}
        for column in (LIVES if asked.in_past and asked.when != AT else FOUND)
    ]
