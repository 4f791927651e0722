"""The list of incidents: its tabs, filters, order, and what has come since the page was made."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Count, Exists, Max, OuterRef, Q
from django.http import QueryDict

from alerts import states, words
from alerts.evaluate import overdue
from alerts.incidents import arrivals, shown
from alerts.incidents.shown import Shown
from alerts.models import Incident, IncidentEntry, Rule
from alerts.querysets import IncidentQuerySet
from alerts.rules import names
from pmonitor import access
from servers.models import Server

PAGE = 50
OPEN, SILENCED, CLOSED = "open", "silenced", "closed"
TABS = (OPEN, SILENCED, CLOSED)


class Asked(NamedTuple):
    """What the reader asked the list for, out of the address."""

    tab: str = OPEN
    q: str = ""
    severity: str = ""
    server: str = ""  # an agent's id
    mine: bool = False

    @property
    def filtered(self) -> bool:
        """Whether some incidents of the tab may be left out."""
        return any(self[1:])

    @property
    def words(self) -> str:
        """The filters in words, for "No incident matches …"."""
        severity = str(words.SEVERITY_WORDS[self.severity]) if self.severity else ""
        return " ".join(part for part in (self.q, severity, self.server) if part) or "…"

    @property
    def kept(self) -> str:
        """The filters as an address has them."""
        query = QueryDict(mutable=True)
        told = {"s": self.tab if self.tab != OPEN else "", "mine": "1" if self.mine else ""}
        told |= {"q": self.q, "severity": self.severity, "server": self.server}
        for name, value in told.items():
            if value:
                query[name] = value
        return query.urlencode()


def asked(query: QueryDict) -> Asked:
    """Read an address's parameters; unknown ones and wrong values count as not given."""
    tab, severity = query.get("s", ""), query.get("severity", "")
    return Asked(
        tab=tab if tab in TABS else OPEN,
        q=query.get("q", "").strip()[:200].replace("\0", ""),
        severity=severity if severity in states.SEVERITIES else "",
        server=query.get("server", "")[:200].replace("\0", ""),
        mine=query.get("mine") == "1",
    )


def matching(user: Any, wanted: Asked) -> IncidentQuerySet:
    """The incidents of the tab in the user's scope that pass the filters."""
    found = _of_tab(wanted.tab, user)
    if wanted.severity:
        found = found.filter(severity=wanted.severity)
    if wanted.mine:
        members = Incident.objects.live().filter(whole=OuterRef("pk"), assigned_to=user)
        found = found.filter(Q(assigned_to=user) | Q(Exists(members)))
    if wanted.server:
        found = found.filter(_on(user, Q(agent_id=wanted.server)))
    for word in wanted.q.split():
        found = found.filter(_mentions(user, word))
    return found


def _of_tab(tab: str, user: Any) -> IncidentQuerySet:
    """One of many servers that is over on those of the user is in no tab until it is over on all."""
    if tab == CLOSED:
        closed: IncidentQuerySet = Incident.objects.visible_to(user).listed().filter(state=states.CLOSED)
        return closed
    live = Incident.objects.live_on(Server.objects.visible_to(user)).listed()
    return live.quiet() if tab == SILENCED else live.loud()


def _mentions(user: Any, word: str) -> Q:
    own = Q(rule_name__icontains=word) | Q(rule_name__in=names.having(word))
    own |= Q(subject__icontains=word) | Q(facts__pattern__icontains=word)
    return own | _on(user, Q(hostname__icontains=word) | Q(agent_id__icontains=word) | Q(group__name__icontains=word))


def _on(user: Any, meant: Q) -> Q:
    """On one of these servers, or of many with a member there; as far as the user sees them."""
    servers = Server.objects.visible_to(user).filter(meant)
    return Q(server__in=servers) | Q(Exists(Incident.objects.filter(whole=OuterRef("pk"), server__in=servers)))


def context(user: Any, query: QueryDict) -> dict[str, Any]:
    """What alerts.html shows; query: the tab, the filters, and from which place on."""
    wanted, start = asked(query), _place(query.get("from", ""))
    last = newest()  # before the list, so that none between the two is missed
    found = matching(user, wanted)
    ordered = found.order_by("-closed_at", "-pk") if wanted.tab == CLOSED else shown.worst_first(found)
    rows = shown.all_of(shown.fetched(ordered)[start : start + PAGE + 1])
    return {
        "asked": wanted,
        "rows": rows[:PAGE],
        "start": start,
        "older": start + PAGE if len(rows) > PAGE else None,
        "newer": max(0, start - PAGE) if start else None,
        "last": last,
        "acting": access.has_role(user, access.OPERATOR),
        "severities": list(words.SEVERITY_WORDS.items()),
        "overdue": overdue.notice(access.has_role(user, access.ADMIN)),
        **counts(user),
        **(_nothing(user, wanted) if not rows else {}),
    }


def counts(user: Any) -> dict[str, Any]:
    """How many are open, silenced, and not taken, in the user's scope; one query."""
    servers = Server.objects.visible_to(user)
    loud = Q(pk__in=Incident.objects.loud().values("pk"))
    untaken = Q(pk__in=Incident.objects.untaken_on(servers).values("pk"))
    found: dict[str, Any] = (
        Incident.objects.live_on(servers)
        .listed()
        .aggregate(
            open=Count("pk", filter=loud),
            silenced=Count("pk", filter=~loud),
            untaken=Count("pk", filter=loud & untaken),
        )
    )
    return {"counts": found}


def newest() -> int:
    """The number of the newest line of a timeline, 0 for none."""
    return IncidentEntry.objects.aggregate(last=Max("pk"))["last"] or 0


def since(user: Any, query: QueryDict) -> dict[str, Any]:
    """What `_incidents_newer.html` shows: how many have come that the page's list does not have, and the counts.

    Of silenced ones also how many are no longer so; what is over, or silenced now, its row says.
    """
    wanted, after = asked(query), _place(query.get("after", ""))
    found = matching(user, wanted)
    if wanted.tab == CLOSED:
        new = arrivals.closed(found, after)
    else:
        new = arrivals.came(found, after, quiet=wanted.tab == SILENCED, mine=wanted.mine)
    loud_now = matching(user, wanted._replace(tab=OPEN))
    woken = arrivals.woke(loud_now, after).count() if wanted.tab == SILENCED else 0
    return {"newer_count": new.count(), "woken_count": woken, "asked": wanted, "oob": True, **counts(user)}


def _nothing(user: Any, wanted: Asked) -> dict[str, Any]:
    """Why the list is empty: since when there is none open, or that there is no rule yet."""
    ended = Incident.objects.visible_to(user).listed().filter(state=states.CLOSED).order_by("-closed_at").first()
    return {"last_closed": ended and ended.closed_at, "no_rules": not Rule.objects.kept().exists()}


def _place(said: str) -> int:
    return int(said) if said.isdecimal() and len(said) < 19 else 0


def one(user: Any, incident: Incident) -> Shown | None:
    """An incident of the user's scope, anew, as a row shows it."""
    found = shown.fetched(Incident.objects.visible_to(user).filter(pk=incident.pk)).first()
    return Shown(found) if found else None
