"""One incident: what and where, since when, who has it, its timeline, who was told, its members."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2s
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import Count, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from actions.audit import name_of
from alerts import states, words
from alerts.incidents import capsule_page, entries, people, shown
from alerts.incidents.shown import Shown
from alerts.models import Incident
from alerts.notify import told
from alerts.rules import names
from pmonitor import access
from pmonitor.visible import visible
from servers import moments

MEMBERS = 100  # shown of an incident of many servers
AROUND = timedelta(minutes=30)  # before it began, on the server's timeline
SNOOZES = (  # minutes, the word
    (30, _("30 minutes")),
    (120, _("2 hours")),
    (480, _("8 hours")),
    (1_440, _("1 day")),
    (10_080, _("1 week")),
)


def context(incident: Incident, role: str) -> dict[str, Any]:
    """What the page shows to everybody of a role who may see the incident."""
    one, acting = Shown(incident), role in (access.OPERATOR, access.ADMIN)
    lines, notices = entries.of(incident), told.of(incident)
    return {
        "incident": incident,
        "shown": one,
        "acting": acting,
        "people": people.who_may_have(incident) if acting and not one.closed else [],
        "state": one.standing or ("todo", pgettext("incident", "Open")),
        "facts": [(name, value) for name, value in _facts(incident) if value],
        "lines": lines,
        "notices": notices,
        "moment": _moment(incident),
        "rule": names.shown(incident.rule_name),
        "flapping": words.flapping(incident, timezone.now()),
        "escalates": _escalates(one),
        "why_no_data": words.why_no_data(incident.facts),
        "assigned": visible(name_of(incident.assigned_to)) if incident.assigned_to else "",
        "snoozes": SNOOZES,
        "version": _version(one, lines, notices),
    }


def fragments(made: dict[str, Any]) -> dict[str, str]:
    """The page's live parts by id; without a capsule where that depends on who looks, as that of many servers does."""
    capsule = {"capsule": render_to_string("_capsule.html", made)} if made["capsule"] else {}
    return {
        **capsule,
        "incident": render_to_string("_incident.html", made),
        "incident-timeline": render_to_string("_incident_timeline.html", made),
        "incident-notices": render_to_string("_incident_notices.html", made),
    }


def members(user: Any, incident: Incident) -> dict[str, Any]:
    """Of one of many servers, the members in the user's scope, live ones first, and how many more there are."""
    if incident.server_id is not None:
        return {"members": None}
    all_of_it = Incident.objects.filter(whole=incident)
    mine = shown.fetched(all_of_it.visible_to(user))
    rows = shown.all_of(mine.order_by(models.F("closed_at").desc(nulls_first=True), "-opened_at", "pk")[:MEMBERS])
    found = part(user, incident)
    acting = access.has_role(user, access.OPERATOR) and incident.state == states.OPEN
    return {
        "members": rows,
        "more": found["all"] - len(rows),
        "incident": incident,
        "mine": found if found["mine"] < found["all"] else None,
        "may_give_back": acting and found[states.ACKNOWLEDGED],
    }


def part(user: Any, incident: Incident) -> dict[str, int]:
    """Of one of many servers how many members it has in all, how many the user sees, those by state, and live ones."""
    members = Incident.objects.filter(whole=incident)
    states_of = {one: Count("pk", filter=Q(state=one)) for one in states.STATES}
    live = Count("pk", filter=Q(state__in=states.LIVE))
    mine: dict[str, int] = members.visible_to(user).aggregate(mine=Count("pk"), live=live, **states_of)
    return {**mine, "all": members.count()}


def _facts(incident: Incident) -> list[tuple[Any, str]]:
    """What was measured, in words."""
    value = words.amount(incident.kind, incident.value, incident.facts)
    worst = words.amount(incident.kind, incident.worst, incident.facts)
    return [
        (_("Limit"), words.limit(incident.kind, incident.facts.get("limit"), incident.facts)),
        (_("At opening"), value),
        (_("Worst"), worst if worst != value else ""),
    ]


def _escalates(one: Shown) -> bool:
    """Whether the next ones are told as things are, when nobody takes it on."""
    incident = one.incident
    if not one.open or one.quiet or incident.escalated_at or incident.whole_id:
        return False
    return incident.rule.escalate_after_sec is not None


def _moment(incident: Incident) -> str:
    """The server's page as of the moment it opened, with the time around it."""
    if incident.server is None:
        return ""
    start, end = incident.began_at - AROUND, min(timezone.now(), (incident.closed_at or timezone.now()) + AROUND)
    told_as = {"at": incident.opened_at, "from": start, "to": max(end, incident.opened_at)}
    query = urlencode({name: moments.written(at.replace(microsecond=0)) for name, at in told_as.items()}, safe=":")
    return f"{reverse('servers:detail', args=[incident.server.agent_id])}?{query}"


def _version(one: Shown, lines: list[entries.Line], notices: list[told.Told]) -> str:
    capsule = capsule_page.version(one.incident)
    what = (one.version, capsule, one.incident.worst, lines[0].entry.pk if lines else 0, len(lines), notices)
    return blake2s(repr(what).encode(), digest_size=8).hexdigest()
