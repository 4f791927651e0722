"""The dashboard's panel of services that are stopped for a time, those that come back soonest first."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.template.loader import render_to_string

from actions import lease_words, states, verbs
from actions.models import Lease
from pmonitor.visible import visible
from servers.fleet import Panel
from servers.models import Server

MOST = 12


def panel(servers: QuerySet[Server]) -> Panel:
    """Of these servers; hidden when there is nothing to show."""
    rows = Lease.objects.shown().filter(server__in=servers).order_by("until", "id")
    leases = list(rows[: MOST + 1])
    count = len(leases) if len(leases) <= MOST else rows.count()
    shown = [_row(lease) for lease in leases[:MOST]]
    told = [
        (lease.pk, lease.state, lease.until, lease.overdue_at, lease.attempts, lease.server.state) for lease in leases
    ]
    html = render_to_string("_lent.html", {"leases": shown, "count": count, "more": max(0, count - MOST)})
    return Panel("lent", html, repr((told, count)))


def _row(lease: Lease) -> dict[str, Any]:
    told_whole = lease.overdue_at or lease.state in states.LEASE_ENDED
    return {
        "lease": lease,
        "glyph": lease_words.glyph(lease),
        "name": visible(lease.target),
        "brief": lease_words.brief(lease),
        "title": verbs.titled(states.STOP, visible(lease.target), lease.command.args),
        "by": visible(lease.command.asked_by_name),
        "reason": visible(lease.command.reason),
        "late": lease_words.sentence(lease) if told_whole else "",
    }
