"""What a capsule says: its unit's evidence, what fell into the hour before, processes that rose, log lines."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from msgspec import convert

from actions import happened, service_log, verbs
from actions.happened import Told
from actions.models import Command
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.service_events import Event

SAID: dict[str, Any] = {
    "cpu": gettext_lazy("%(name)s rose most: %(before)s%% → %(now)s%% of one core."),
    "memMB": gettext_lazy("%(name)s rose most: %(before)s → %(now)s MB."),
}


class Fell(NamedTuple):
    """Something of the hour before: when, its glyph, its sentence, where more is told, and what is said beside it."""

    at: datetime
    state: str
    title: str
    url: str
    meta: list[str]


def fell(capsule: dict[str, Any]) -> list[Fell]:
    """Commands as they are now, and what happened to other services without one of them, newest first."""
    ids = {told["id"] for told in capsule["commands"]}
    shown = capsule["unit"]["events"] if capsule["unit"] else []
    states = {str(uuid): state for uuid, state in Command.objects.filter(uuid__in=ids).values_list("uuid", "state")}
    rows = [_command(told, states.get(told["id"], told["state"])) for told in capsule["commands"]]
    rows += [
        _event(told)
        for told in capsule["events"]
        if told not in shown and (told.get("command") not in ids or told["kind"] in happened.ENDED)
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
        "url": _page(server, told["name"]),
        "oom": told["oom"],
        "facts": [(name, visible(str(value))) for name, value in named if value],
        "events": [_event(one) for one in told["events"]],
        "sentence": events[0].title if events else "",
        "listed": datetime.fromisoformat(told["listedAt"]) if told["listedAt"] else None,
    }


def rose(told: dict[str, Any], metric: str) -> str:
    """What rose most, in a sentence; metric: cpu or memMB, of both where it is neither. Empty where nothing did."""
    most = told.get("roseMost") or {}
    said = [_rose(most[one], SAID[one]) for one in ("cpu", "memMB") if metric in (one, "") and most.get(one)]
    return " ".join(said)


def _rose(most: dict[str, Any], sentence: Any) -> str:
    words = {"name": visible(most["name"]), "count": show.plain(most["count"])}
    if most["count"] != 1:
        many = ngettext("%(name)s (%(count)s process)", "%(name)s (%(count)s processes)", most["count"])
        words["name"] = many % words
    return str(sentence) % {**words, "before": show.plain(most["before"]), "now": show.plain(most["now"])}


def came(row: dict[str, Any], compared: bool) -> str:
    """Whether a process came, went or was restarted since just before."""
    if row.get("gone"):
        return pgettext("process", "gone")
    if row.get("was"):
        return _("restarted, was PID %(pid)s") % {"pid": row["was"]}
    return pgettext("process", "new") if compared and "cpuBefore" not in row and "memMBBefore" not in row else ""


def lines(told: list[dict[str, Any]]) -> SafeString:
    """Log lines as the service's page shows them."""
    return format_html_join("", "{}", ((service_log.line(convert(one, service_log.Line)),) for one in told))


def _page(server: Server, name: str) -> str:
    """The service's own page; a name that no address can hold has none."""
    return "" if "/" in name else reverse("actions:service", args=[server.agent_id, name])


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
