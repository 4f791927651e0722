"""Incidents in words: their title, what was measured, and their state. The same in pages, notices and the API.

What finders write into an incident's facts is told here, kind by kind.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from actions import verdicts
from alerts import states
from alerts.evaluate import found
from alerts.models import Incident
from alerts.rules import kinds, names
from pmonitor.templatetags import show
from pmonitor.visible import visible

STATE_WORDS: dict[str, Any] = {
    states.OPEN: pgettext_lazy("incident", "Open"),
    states.ACKNOWLEDGED: pgettext_lazy("incident", "Acknowledged"),
    states.CLOSED: pgettext_lazy("incident", "Closed"),
}
SEVERITY_WORDS: dict[str, Any] = {
    states.WARNING: pgettext_lazy("severity", "Warning"),
    states.CRITICAL: pgettext_lazy("severity", "Critical"),
}
TITLES: dict[str, Any] = {  # of the facts {subject, limit, pattern, …}; a reading's is made below
    kinds.SILENT: gettext_lazy("Server silent"),
    kinds.REBOOTED: gettext_lazy("Server rebooted"),
    kinds.SKEW: gettext_lazy("Clock off by more than %(limit)s"),
    kinds.OUTDATED: gettext_lazy("Agent outdated"),
    kinds.DISK_USED: gettext_lazy("Disk %(subject)s over %(limit)s"),
    kinds.DISK_FILLING: gettext_lazy("Disk %(subject)s full within %(limit)s"),
    kinds.MISSING: gettext_lazy("Process %(pattern)s missing"),
    kinds.TOO_MANY: gettext_lazy("Number of processes %(pattern)s above %(limit)s"),
    kinds.RESTARTING: gettext_lazy("Process %(pattern)s keeps restarting"),
    kinds.PROCESS_CPU: gettext_lazy("Process %(process)s over %(limit)s CPU"),
    kinds.PROCESS_MEMORY: gettext_lazy("Process %(process)s over %(limit)s"),
    kinds.FAILED: gettext_lazy("%(subject)s failed"),
    kinds.INACTIVE: gettext_lazy("%(subject)s inactive"),
    kinds.FLAPPING: gettext_lazy("%(subject)s flapping"),
    kinds.RESTARTED: gettext_lazy("%(subject)s keeps restarting"),
    kinds.COMMAND_FAILED: gettext_lazy("%(cmd)s %(subject)s failed"),
}
FEWER = gettext_lazy("Fewer than %(limit)s of %(pattern)s")  # of MISSING, where one is not enough
_named = re.compile(r"%\((\w+)\)s")
TIMES = (kinds.RESTARTING, kinds.FLAPPING, kinds.RESTARTED)  # what their values count


def title(incident: Incident) -> str:
    """ "nginx.service failed", "Memory used above 90%"; of many servers with their number. Safe characters only."""
    if incident.server_id is not None:
        return _title(incident)
    servers = incident.facts.get("servers", 0)
    said = ngettext("%(title)s on %(count)s server", "%(title)s on %(count)s servers", servers)
    return said % {"title": _title_of_many(incident), "count": show.plain(servers)}


def flapping(incident: Incident, now: datetime) -> str:
    """ "Flapping: 7 times in 34 min", while it does; empty for one that does not."""
    if not incident.flapping or incident.flapping_since is None:
        return ""
    times, end = incident.reopened + 1, incident.closed_at or incident.calm_since or now
    said = ngettext("Flapping: %(count)s time in %(span)s", "Flapping: %(count)s times in %(span)s", times)
    span = verdicts.span((end - incident.flapping_since).total_seconds())
    return said % {"count": show.plain(times), "span": span}


def why_no_data(facts: dict[str, Any]) -> str:
    """Why nothing is known though its server reports, a sentence without its end; empty where nothing came."""
    why = facts.get(found.WHY, {})
    if why.get("why") == found.CUT:
        counts = {name: show.plain(why[name]) for name in ("listed", "processes")}
        return _("its process table lists %(listed)s of %(processes)s processes") % counts
    return _("its service has no main process that is known") if why else ""


def _title(incident: Incident) -> str:
    facts = incident.facts
    if incident.kind == kinds.READING:
        return _reading(facts)
    words = {name: visible(str(value)) for name, value in facts.items()}
    words |= {"subject": visible(incident.subject), "limit": limit(incident.kind, facts.get("limit"), facts)}
    words.setdefault("pattern", "")
    words.setdefault("process", words["pattern"])
    words.setdefault("cmd", "")
    return _template(incident) % words


def _template(incident: Incident) -> str:
    several = incident.kind == kinds.MISSING and (incident.facts.get("limit") or 1) > 1
    return str(FEWER if several else TITLES[incident.kind])


def amount(kind: str, value: float | None, facts: dict[str, Any]) -> str:
    """What was measured for a rule's kind, with its unit: "93%", "1,204 MB", "3 times", "5 h"; empty for none.

    Rounded, but never as far as the limit among the facts: what is over it reads as over it.
    """
    if value is None:
        return ""
    return _with_unit(kind, value, _rounded(value, facts.get("limit")), facts)


def limit(kind: str, value: float | None, facts: dict[str, Any]) -> str:
    """A rule's limit or clear limit with its unit, to its last figure: "90%", "0.75", "99.95%"; empty for none."""
    return "" if value is None else _with_unit(kind, value, _exact(value), facts)


def percent(number: str) -> str:
    """A number, which is written already, with the percent sign as the language puts it."""
    return number + pgettext("after a number", "%")


def unit_of(kind: str, facts: dict[str, Any]) -> str:
    """The unit of a kind's limit and values, of kinds.KINDS; a reading's is its metric's."""
    if kind == kinds.READING:
        metric = kinds.READINGS.get(facts.get("metric", ""))
        return metric.unit if metric else ""
    return kinds.KINDS[kind].unit or ""


def _title_of_many(incident: Incident) -> str:
    """What the members share; the rule's name where their subjects, or what else a title names, differ."""
    named = incident.facts | ({"subject": incident.subject} if incident.subject else {})
    needed = {"metric"} if incident.kind == kinds.READING else set(_named.findall(_template(incident)))
    return _title(incident) if needed <= named.keys() else names.shown(incident.rule_name)


def _reading(facts: dict[str, Any]) -> str:
    metric = kinds.READINGS.get(facts.get("metric", ""))
    words = {
        "reading": str(metric.word) if metric else visible(str(facts.get("metric", ""))),
        "limit": limit(kinds.READING, facts.get("limit"), facts),
    }
    return (_("%(reading)s below %(limit)s") if facts.get("below") else _("%(reading)s above %(limit)s")) % words


def _with_unit(kind: str, value: float, number: str, facts: dict[str, Any]) -> str:
    if kind in TIMES:
        return ngettext("%(count)s time", "%(count)s times", math.ceil(value)) % {"count": number}
    unit = unit_of(kind, facts)
    if unit == "%":
        return percent(number)
    return f"{number} {unit}" if unit not in ("", "count") else number


def _rounded(value: float, limit: float | None) -> str:
    """With one decimal at the most where that is enough to tell on which side of the limit it is."""
    fewest, most = 0 if value == round(value) or abs(value) >= 100 else 1, _decimals(value)
    for decimals in range(fewest, most):
        shown = round(value, decimals)
        if limit is None or (shown > limit, shown < limit) == (value > limit, value < limit):
            return show.plain(value, decimals)
    return show.plain(value, max(fewest, most))


def _exact(value: float) -> str:
    return show.plain(value, _decimals(value))


def _decimals(value: float) -> int:
    """How many tell it from every other number."""
    return len(f"{Decimal(repr(float(value))):f}".partition(".")[2].rstrip("0"))
