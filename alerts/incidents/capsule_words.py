"""What a capsule says: its unit's evidence, what fell into the hour before, processes that rose, log lines."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from msgspec import convert

from actions import happened, service_log, verbs
from actions.happened import Told
from actions.models import Command
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.service_events import Event


class Fell(NamedTuple):
    """Something of the hour before: when, its glyph, its sentence, where more is told, and what is said beside it."""

    at: datetime
    state: str
    title: str
    url: str
    meta: list[str]


def fell(capsule: dict[str, Any]) -> list[Fell]:
    """Commands, and what happened to services without one of them, newest first; commands as they are now."""
    ids = {told["id"] for told in capsule["commands"]}
    states = {str(uuid): state for uuid, state in Command.objects.filter(uuid__in=ids).values_list("uuid", "state")}
    rows = [_command(told, states.get(told["id"], told["state"])) for told in capsule["commands"]]
    rows += [
        _event(told)
        for told in capsule["events"]
        if told.get("command") not in ids or told["kind"] in happened.ENDED  # nobody asks for these
    ]
    return sorted(rows, key=lambda row: row.at, reverse=True)


def unit(told: dict[str, Any], server: Server) -> dict[str, Any]:
    """The unit's facts as names and values, and what happened to it last."""
    listed, events = told["listed"], [_told(one) for one in told["events"]]
    named = [
        (_("State"), _joined(listed.get("activeState"), listed.get("subState"))),
        (_("Result"), listed.get("result")),
        (_("Last exit"), _exit(listed.get("lastExit"))),
        (_("Main PID"), listed.get("mainPid")),
        (_("Restarts"), listed.get("nRestarts")),
    ]
    return {
        "name": visible(told["name"]),
        "url": reverse("actions:service", args=[server.agent_id, told["name"]]),
        "oom": told["oom"],
        "facts": [(name, visible(str(value))) for name, value in named if value],
        "events": [_event(one) for one in told["events"]],
        "sentence": events[0].title if events else "",
        "listed": datetime.fromisoformat(told["listedAt"]) if told["listedAt"] else None,
    }


def rose(rows: list[dict[str, Any]]) -> str:
    """What rose most, in a sentence; empty where nothing did."""
    top = max((row for row in rows if row.get("rose")), key=lambda row: max(_rises(row)), default=None)
    if top is None:
        return ""
    name, (cpu, mem) = visible(top["name"]), _rises(top)
    if cpu >= mem:
        words = {"name": name, "before": show.plain(top.get("cpuBefore") or 0), "now": show.plain(top.get("cpu") or 0)}
        return _("%(name)s rose most: %(before)s%% → %(now)s%% of one core.") % words
    words = {"name": name, "before": show.plain(top.get("memMBBefore") or 0), "now": show.plain(top.get("memMB") or 0)}
    return _("%(name)s rose most: %(before)s → %(now)s MB.") % words


def came(row: dict[str, Any], compared: bool) -> str:
    """Whether a process came, went or was restarted since just before."""
    if row.get("gone"):
        return _("gone")
    if row.get("was"):
        return _("restarted, was PID %(pid)s") % {"pid": row["was"]}
    return _("new") if compared and "cpuBefore" not in row and "memMBBefore" not in row else ""


def lines(told: list[dict[str, Any]]) -> SafeString:
    """Log lines as the service's page shows them."""
    return format_html_join("", "{}", ((service_log.line(convert(one, service_log.Line)),) for one in told))


def _rises(row: dict[str, Any]) -> tuple[float, float]:
    """By how much its CPU and its memory went up, so that a core and a gigabyte count the same."""
    cpu, mem = ((row.get(name) or 0) - (row.get(f"{name}Before") or 0) for name in ("cpu", "memMB"))
    return cpu / 100, mem / 1024


def _command(told: dict[str, Any], state: str) -> Fell:
    meta = [verbs.state_word(state), visible(told["by"]), visible(told["reason"])]
    title, url = verbs.titled(told["cmd"], visible(told["target"])), reverse("actions:command", args=[told["id"]])
    return Fell(datetime.fromisoformat(told["at"]), state, title, url, [one for one in meta if one])


def _event(told: dict[str, Any]) -> Fell:
    one = _told(told)
    url = reverse("actions:command", args=[told["command"]]) if told.get("command") else ""
    who = _("by %(who)s") % {"who": visible(told["by"])} if told.get("by") else _("Without a command")
    meta = [who, *one.details] if one.event.name else one.details
    return Fell(one.event.at, happened.GLYPHS[one.event.kind], one.title, url, meta)


def _told(told: dict[str, Any]) -> Told:
    return Told(Event(told["service"], datetime.fromisoformat(told["at"]), told["kind"], told["facts"]), None)


def _joined(*words: str | None) -> str:
    return " ".join(f"({word})" if number else word for number, word in enumerate(filter(None, words)))


def _exit(told: str | None) -> str:
    """A status or the name of a signal."""
    if not told:
        return ""
    return _("status %(status)s") % {"status": told} if told.isdecimal() else told
