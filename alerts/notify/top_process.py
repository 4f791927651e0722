"""Which process a notice names: of what was found around the incident's opening, else of the newest report."""

from __future__ import annotations

from typing import Any

from alerts import words
from alerts.models import Incident
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Newest


def told(incident: Incident) -> str:
    """ "postgres, 93% CPU, 1,204 MB": the one that the rule is about, else what rose most, else what uses most."""
    found = ((incident.capsule or {}).get("processes") or {}).get("rows") or []
    there = [row for row in found if not row.get("gone")]
    for mark in ("named", "rose", "name"):
        if marked := next((row for row in there if row.get(mark)), None):
            return _said(marked["name"], marked.get("cpu"), marked.get("memMB"))
    newest = Newest.objects.filter(server=incident.server_id).only("top_name", "top_cpu").first()
    return _said(newest.top_name, newest.top_cpu, None) if newest and newest.top_name else ""


def _said(name: Any, cpu: float | None, memory: float | None) -> str:
    parts = [visible(str(name))]
    parts += [f"{words.percent(show.plain(cpu))} CPU"] if cpu is not None else []
    parts += [f"{show.plain(memory)} MB"] if memory is not None else []
    return ", ".join(parts)
