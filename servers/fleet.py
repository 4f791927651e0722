"""The dashboard's list: the servers in somebody's scope, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Cast
from django.http import QueryDict

from pmonitor import access
from pmonitor.visible import visible
from servers import clock_skew, past, standing, states
from servers.models import Newest, Scope, Server
from servers.standing import ATTENTION, RANKS, SHOWN
from servers.twins import twin_of

PAGE = 40  # rows a screen loads at once
MOST_LABELS = 200  # offered by the label filter
MEM = F("newest__mem_used_mb") / models.functions.NullIf(F("newest__mem_total_mb"), 0.0)
SORTS: dict[str, tuple[Any, bool]] = {  # name in the address: (what, largest first unless turned around)
    "status": (F("rank"), True),
    "name": (F("hostname"), False),
    "group": (F("group__name"), False),
    "cpu": (F("newest__cpu"), True),
    "mem": (MEM, True),
    "load": (F("newest__load1"), True),
    "top": (F("newest__top_name"), False),
    "uptime": (F("newest__uptime_sec"), True),
    "seen": (F("newest__received_at"), True),
}


class Total(NamedTuple):
    """A cell of the strip of totals that another app adds; icon is of the page's sprite."""

    id: str
    url: str
    icon: str
    word: str
    number: int
    note: str = ""


# What else is counted on the dashboard; an app adds its function in AppConfig.ready. It gets the servers in scope.
TOTALS: list[Callable[[models.QuerySet[Server]], Total]] = []
# What else fleet.html's templates show, as to who looks: (scope, role) -> context.
PARTS: list[Callable[[str, str], dict[str, Any]]] = []


class Panel(NamedTuple):
    """A live panel of the dashboard that another app adds: its element's id, its HTML, and what changes with it."""

    id: str
    html: str
    version: str


# Panels below the totals; an app adds its function in AppConfig.ready. It gets the servers in scope.
PANELS: list[Callable[[models.QuerySet[Server]], Panel]] = []


class Asked(NamedTuple):
    """What the reader asked the list for, out of the address."""

    q: str = ""
    status: str = ""
    group: str = ""
    label: str = ""
    sort: str = "status"
    turned: bool = False  # the other way round

    @property
    def filtered(self) -> bool:
        """Whether some servers may be left out."""
        return any((self.q, self.status, self.group, self.label))

    @property
    def words(self) -> str:
        """The filters in words, for "No server matches …"."""
        state = str(SHOWN[self.status][1]) if self.status in SHOWN else ""
        return " ".join(part for part in (self.q, state, self.group, self.label) if part) or "…"

    @property
    def largest_first(self) -> bool:
        """Which way the column runs."""
        return SORTS[self.sort][1] != self.turned


def asked(query: QueryDict) -> Asked:
    """Read an address's parameters; unknown ones and wrong values count as not given."""
    sort = query.get("sort", "status")
    return Asked(
        q=query.get("q", "").strip()[:200].replace("\0", ""),
        status=query.get("status", "") if query.get("status") in (*SHOWN, "attention") else "",
        group=query.get("group", "")[:80].replace("\0", ""),
        label=query.get("label", "")[:200].replace("\0", ""),
        sort=sort if sort in SORTS else "status",
        turned=query.get("turn") == "1",
    )


# Scope: what somebody sees, as a short key that can be part of a live topic


def scope_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """ "all", or the ids of the user's server groups joined by "-", or "none"; the same servers as visible_to(user)."""
    role = access.role_of(user)
    scope = None if role in (None, access.ADMIN) else Scope.objects.filter(user=user.pk).first()
    if role == access.ADMIN or (scope and scope.everything):
        return "all"
    groups = sorted(scope.groups.values_list("pk", flat=True)) if scope else []
    return "-".join(map(str, groups)) or "none"


def in_scope(scope: str) -> models.QuerySet[Server]:
    """The servers of a scope key."""
    if scope == "all":
        return Server.objects.all()
    return Server.objects.filter(group__in=[int(part) for part in scope.split("-")]) if scope != "none" else none()


def none() -> models.QuerySet[Server]:
    """No server."""
    return Server.objects.none()


# The list


class Row(NamedTuple):
    """A server as a row of the list."""

    server: Server
    newest: Newest | None
    glyph: str
    word: str
    gone: bool  # no current values: silent or not yet heard of
    cpu: float | None
    mem: float | None  # percent
    sparks: dict[str, list[float | None]]

    @property
    def name(self) -> str:
        """The host name, safe to read."""
        return visible(self.server.hostname)

    @property
    def top(self) -> str:
        """The name of the process with the most CPU, safe to read."""
        return visible(self.newest.top_name) if self.newest else ""

    @property
    def clock(self) -> str:
        """A word on the agent's clock, where it is far out."""
        return clock_skew.warning(self.newest)

    @property
    def version(self) -> str:
        """Changes with every report and state."""
        return f"{self.newest.seq if self.newest else 0}{standing.of(self.server)}"

    @property
    def label_values(self) -> str:
        """The labels' values, which usually say enough: prod buh1."""
        return " ".join(str(value) for value in self.server.labels.values())

    @property
    def label_words(self) -> str:
        """The labels in full: env=prod, site=buh1."""
        return ", ".join(f"{key}={value}" for key, value in self.server.labels.items())

    @property
    def order(self) -> str:
        """The numbers the list can be sorted by, for the page's own check whether the order still holds."""
        newest = self.newest
        values = (self.cpu, self.mem, newest and newest.load1, newest and newest.uptime_sec)
        return " ".join([str(RANKS[standing.of(self.server)]), *("-" if v is None else f"{v:.2f}" for v in values)])


def matching(servers: models.QuerySet[Server], wanted: Asked) -> models.QuerySet[Server]:
    """The servers that pass the filters."""
    if wanted.status:
        asked_for = ATTENTION if wanted.status == "attention" else [wanted.status]
        servers = servers.annotate(standing=standing.standing()).filter(standing__in=asked_for)
    if wanted.group:
        servers = servers.filter(group__name=wanted.group)
    if wanted.label:
        servers = servers.filter(_has_label(wanted.label))
    for word in wanted.q.split():
        servers = servers.filter(_mentions(word))
    return servers


def _has_label(text: str) -> Q:
    key, equals, value = text.partition("=")
    return Q(labels__contains={key: value}) if equals else Q(labels__has_key=key)


def _mentions(word: str) -> Q:
    found = (
        Q(hostname__icontains=word)
        | Q(agent_id__icontains=word)
        | Q(group__name__icontains=word)
        | Q(newest__top_name__icontains=word)
    )
    return found | (_has_label(word) if "=" in word else Q(label_text__icontains=word))


def rows(servers: models.QuerySet[Server], wanted: Asked, start: int = 0) -> tuple[list[Row], int]:
    """One screen of the list from a place on, and how many there are in all. Three queries, one for the sparklines."""
    found = matching(servers.annotate(label_text=Cast("labels", models.TextField())), wanted)
    what = SORTS[wanted.sort][0]
    order = models.F("sorting").desc(nulls_last=True) if wanted.largest_first else F("sorting").asc(nulls_last=True)
    ordered = found.annotate(rank=standing.rank()).annotate(sorting=what).order_by(order, "hostname", "pk")
    listed = _light(ordered)[start : start + PAGE]
    return with_sparks(list(listed)), found.count()


def _light(servers: models.QuerySet[Server]) -> models.QuerySet[Server]:
    return (
        servers.annotate(twin=twin_of(Server), standing=standing.standing())
        .select_related("group", "newest")
        .only(
            *("agent_id", "hostname", "labels", "state", "state_since", "group__name"),
            *(f"newest__{name}" for name in ("received_at", "seq", "skews", "cpu", "mem_used_mb", "mem_total_mb")),
            *(f"newest__{name}" for name in ("load1", "uptime_sec", "top_name", "top_cpu")),
        )
    )


def row(server_id: int) -> Row | None:
    """One server's row, or None when the server is gone."""
    found = with_sparks(list(_light(Server.objects.filter(pk=server_id))))
    return found[0] if found else None


def with_sparks(servers: Sequence[Server]) -> list[Row]:
    """The rows of these servers, with their last half hour; two queries."""
    recent = past.recent([server.pk for server in servers]) if servers else {}
    return [_row(server, recent.get(server.pk, {})) for server in servers]


def _row(server: Server, sparks: dict[str, list[float | None]]) -> Row:
    newest = getattr(server, "newest", None)
    glyph, word = SHOWN[standing.of(server)]
    gone = newest is None or server.state != states.UP
    total = newest.mem_total_mb if newest else None
    mem = 100 * newest.mem_used_mb / total if newest and total and newest.mem_used_mb is not None else None
    cpu = newest.cpu if newest else None
    if not gone:
        sparks = {"cpu": _up_to_now(sparks.get("cpu"), cpu), "mem": _up_to_now(sparks.get("mem"), mem)}
    return Row(server, newest, glyph, str(word), gone, cpu, mem, sparks)


def _up_to_now(points: Sequence[float | None] | None, value: float | None) -> list[float | None]:
    """A sparkline ends at the newest value; the running minute may have no report yet."""
    if not points or points[-1] is not None or points[-2] is None:
        return list(points or ())
    return [*points[:-1], value]


def labels(servers: models.QuerySet[Server]) -> list[str]:
    """The labels in use, as key=value."""
    ids, parameters = servers.order_by().values("pk").query.sql_with_params()
    query = (
        "SELECT DISTINCT key || '=' || value FROM servers_server, jsonb_each_text(labels)"  # noqa: S608
        f" WHERE id IN ({ids}) ORDER BY 1 LIMIT {MOST_LABELS}"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [label for (label,) in cursor.fetchall()]
