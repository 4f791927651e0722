"""What is shown of a capsule: on its incident's page by `_capsule.html`, and told to programs.

Log lines are for operators, here as elsewhere: for others they are left out of the context, not only of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions import reads
from alerts.incidents import capsule_chart, capsule_log, capsule_words
from alerts.incidents.capsule import FAILED
from alerts.models import Incident
from alerts.rules import kinds
from pmonitor import access
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, spike
from servers.models import Server

GATHERING, THERE, NONE, BROKEN = "gathering", "there", "none", "failed"
EXPLAINS = {"cpu": spike.CPU, "mem": spike.MEM}  # readings that the page of explanations knows
LEAST_EXPLAINED, MOST_EXPLAINED = timedelta(minutes=5), timedelta(hours=24)


def context(incident: Incident, user: Any) -> dict[str, Any]:
    """What `_capsule.html` shows under `capsule`; the caller has found the incident in the user's scope.

    Of many servers' incident: the capsule of its first member that the user may see and that has one.
    """
    shown = incident if incident.server_id else _member(incident, user)
    if shown is None or shown.server is None:
        return {"state": NONE, "version": NONE, "said": _("Its servers' own incidents tell more.")}
    made: dict[str, Any] = {
        "state": state_of(shown),
        "version": version(shown),
        "said": _said(shown),
        "of": "" if shown is incident else show.first_label(visible(shown.server.hostname)),
        "at": shown.opened_at,
        "then": _at(reverse("servers:detail", args=[shown.server.agent_id]), shown.opened_at),
        "explain": _explain(shown, shown.server),
        "chart": capsule_chart.context(shown, shown.server),
    }
    return {**made, **_found(shown, shown.server, user)} if made["state"] == THERE else made


def told(incident: Incident, user: Any) -> dict[str, Any] | None:
    """The capsule as programs get it, without log lines for who may not read logs; None where there is none (yet)."""
    capsule = incident.capsule
    if not capsule or capsule.get(FAILED):
        return None
    kept = {name: value for name, value in (capsule.get("log") or {}).items() if name not in ("read", "lines")}
    if capsule.get("log") and may_read_logs(user):
        kept |= {"lines": capsule["log"].get("lines", [])}
    return {**capsule, "log": kept or None}


def may_read_logs(user: Any) -> bool:
    """Whether the user may read services' logs."""
    return access.has_role(user, access.OPERATOR)


def state_of(incident: Incident) -> str:
    """Whether the capsule is being gathered, there, or will never be."""
    if incident.capsule is None:
        return GATHERING if incident.capsule_due else NONE
    return BROKEN if incident.capsule.get(FAILED) else THERE


def version(incident: Incident) -> str:
    """Changes when there is more to show."""
    log = (incident.capsule or {}).get("log") or {}
    return f"{state_of(incident)}-{log.get('state', '')}"


def _member(incident: Incident, user: Any) -> Incident | None:
    members = Incident.objects.visible_to(user).filter(whole=incident, capsule__isnull=False)
    found: Incident | None = members.select_related("server", "rule").order_by("pk").first()
    return found


def _said(incident: Incident) -> str:
    sentences = {
        GATHERING: _("Being gathered…"),
        NONE: _("Nothing was gathered for it: it is one of many that opened at once."),
        BROKEN: _("It could not be gathered; the hub's log says why."),
    }
    return sentences.get(state_of(incident), "")


def _found(incident: Incident, server: Server, user: Any) -> dict[str, Any]:
    capsule = incident.capsule or {}
    expired = incident.opened_at < timezone.now() - settings.KEPT["processes"]
    return {
        "processes": _processes(capsule["processes"], server, expired),
        "unit": capsule_words.unit(capsule["unit"], server) if capsule["unit"] else None,
        "log": _log(capsule["log"], user) if capsule["log"] else None,
        "fell": capsule_words.fell(capsule),
        "from": datetime.fromisoformat(capsule["from"]),
    }


def _processes(told: dict[str, Any], server: Server, expired: bool) -> dict[str, Any]:
    if not told:
        return {"rows": [], "notice": _("No process table of this moment was there.")}
    at = datetime.fromisoformat(told["at"])
    before = datetime.fromisoformat(told["before"]) if "before" in told else None
    return {
        "at": at,
        "before": before,
        "notice": " ".join(_process_notes(told, expired)),
        "rows": [_process(row, server, at, before, expired) for row in told["rows"]],
        "rose": capsule_words.rose(told["rows"]),
    }


def _process_notes(told: dict[str, Any], expired: bool) -> Iterator[str]:
    if "before" not in told:
        yield _("No process table of just before was there to compare with.")
    if told.get("booted"):
        yield _("The server was booted in between: all processes were started anew.")
    if expired:
        days = settings.KEPT["processes"].days
        yield ngettext(
            "The whole tables are kept for %(days)s day: this is what was noted of them.",
            "The whole tables are kept for %(days)s days: this is what was noted of them.",
            days,
        ) % {"days": show.plain(days)}


def _process(
    row: dict[str, Any], server: Server, at: datetime, before: datetime | None, expired: bool
) -> dict[str, Any]:
    seen = before if row.get("gone") and before else at
    page = reverse("servers:process", args=[server.agent_id, row["pid"], row.get("startTicks") or 0])
    return {
        "name": visible(row["name"]) or "—",
        "pid": row["pid"],
        "user": visible(row.get("user", "")),
        "title": visible(row.get("cmdline", "")),
        "url": "" if expired else _at(page, seen),
        "named": row.get("named", False),
        "rose": row.get("rose", False),
        "cpu": row.get("cpu"),
        "cpu_before": row.get("cpuBefore"),
        "mem": row.get("memMB"),
        "mem_before": row.get("memMBBefore"),
        "what": capsule_words.came(row, before is not None),
    }


def _log(told: dict[str, Any], user: Any) -> dict[str, Any]:
    """The log lines, or why there are none; for who may not read logs, that they may not."""
    if not may_read_logs(user):
        return {"said": _("Operators may read this log.")}
    if told["state"] == capsule_log.ASKING:
        return {"said": _("Asking the server…"), "open": True}
    if told["state"] != reads.ANSWERED:
        return {"said": reads.sentence(told["state"], told.get("error", ""))}
    return {
        "said": "" if told["lines"] else _("Nothing is logged."),
        "lines": capsule_words.lines(told["lines"]),
        "cut": told["cut"],
        "asked": datetime.fromisoformat(told["askedAt"]),
    }


def _explain(incident: Incident, server: Server) -> str:
    """Where a rise of CPU or memory is explained; empty for what that page cannot tell."""
    metric = EXPLAINS.get(incident.facts.get("metric", ""), "")
    metric = {kinds.PROCESS_CPU: spike.CPU, kinds.PROCESS_MEMORY: spike.MEM}.get(incident.kind, metric)
    if not metric or incident.facts.get("below"):
        return ""
    end = incident.opened_at
    start = max(min(incident.began_at, end - LEAST_EXPLAINED), end - MOST_EXPLAINED)
    query = {"from": moments.written(start), "to": moments.written(end), "metric": metric}
    return f"{reverse('servers:explain', args=[server.agent_id])}?{urlencode(query, safe=':')}"


def _at(page: str, moment: datetime) -> str:
    return f"{page}?{urlencode({'at': moments.written(moment)}, safe=':')}"
