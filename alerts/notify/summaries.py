"""A summary of many notices: what is counted of them, and how that is said."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts import states
from alerts.models import Notification
from alerts.notify import models
from alerts.rules import names
from pmonitor.templatetags import show
from servers import state_words
from servers.models import HubAbsence

MOST_RULES = 10  # that are named


def counted(row: Notification) -> dict[str, Any]:
    """How many of what a claimed summary tells: {opened, closed, escalation, critical, servers, rules, more, away?}."""
    inside = Notification.objects.filter(summary=row, state=models.SENDING).order_by()
    kinds = dict(inside.values_list("event").annotate(Count("pk")))
    downs = Q(event__in=(models.OPENED, models.ESCALATION))
    sums = inside.aggregate(
        critical=Count("pk", filter=downs & Q(incident__severity=states.CRITICAL)),
        servers=Count("incident__server", distinct=True),
    )
    rules = inside.values_list("incident__rule_name").annotate(n=Count("pk")).order_by("-n", "incident__rule_name")
    named = [list(pair) for pair in rules[: MOST_RULES + 1]]
    events = {event: kinds.get(event, 0) for event in (models.OPENED, models.CLOSED, models.ESCALATION)}
    more = rules.count() - MOST_RULES if len(named) > MOST_RULES else 0
    return {**events, **sums, "rules": named[:MOST_RULES], "more": more, **_away(row.facts.get("absence"))}


def title(facts: dict[str, Any]) -> str:
    """ "312 incidents, 4 of them critical"; "40 incidents are over"."""
    down = facts[models.OPENED] + facts[models.ESCALATION]
    if not down:
        over = facts[models.CLOSED]
        return ngettext("%(n)s incident is over", "%(n)s incidents are over", over) % {"n": show.plain(over)}
    said = ngettext("%(n)s incident", "%(n)s incidents", down) % {"n": show.plain(down)}
    if not facts["critical"]:
        return said
    return _("%(incidents)s, %(critical)s critical") % {"incidents": said, "critical": show.plain(facts["critical"])}


def intro(facts: dict[str, Any]) -> str:
    """Why they are told together."""
    if "awaySec" in facts:
        return _("The hub was away for %(span)s; this is what it found when it was back.") % {
            "span": state_words.span(facts["awaySec"])
        }
    return _("There were too many to tell each by itself.")


def lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of them, as labels and values."""
    counts = [
        (_("Opened"), facts[models.OPENED]),
        (_("Over"), facts[models.CLOSED]),
        (_("Nobody took them on"), facts[models.ESCALATION]),
        (_("Servers"), facts["servers"]),
    ]
    said = [(label, show.plain(count)) for label, count in counts if count]
    said += [(names.shown(str(name)), show.plain(count)) for name, count in facts["rules"]]
    if facts["more"]:
        rules = ngettext("%(n)s rule more", "%(n)s rules more", facts["more"]) % {"n": show.plain(facts["more"])}
        said.append((_("And"), rules))
    return said


def _away(absence: int | None) -> dict[str, float]:
    found = HubAbsence.objects.filter(pk=absence).first() if absence else None
    return {"awaySec": (found.end - found.start).total_seconds()} if found else {}
