"""The lines of an incident's timeline in words: each kind of states.ENTRIES with its glyph and its sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from alerts import states, words
from alerts.incidents.shown import CLOSED_WORDS
from alerts.models import Incident, IncidentEntry
from alerts.notify import told
from alerts.remedy import words as remedy_words
from pmonitor.templatetags import show
from pmonitor.visible import visible, visible_lines

PARTS: dict[tuple[str, bool], Any] = {  # of which move, and whether it names somebody
    (states.TAKEN, False): gettext_lazy("Acknowledged in part: %(members)s of %(of)s"),
    (states.GIVEN_BACK, False): gettext_lazy("Given back in part: %(members)s of %(of)s"),
    (states.ASSIGNED, True): gettext_lazy("Assigned to %(who)s in part: %(members)s of %(of)s"),
    (states.ASSIGNED, False): gettext_lazy("Assigned to nobody in part: %(members)s of %(of)s"),
    (states.ENDED, False): gettext_lazy("Closed by hand in part: %(members)s of %(of)s"),
}
MOST = 200  # lines of one timeline

Said = str | SafeString


class Line(NamedTuple):
    """One line: when, its glyph, what happened, who did it (empty: the hub), and what they wrote."""

    entry: IncidentEntry
    glyph: str
    said: Said
    who: str
    text: str


def of(incident: Incident) -> list[Line]:
    """The newest lines of the incident, the newest first. One query."""
    rows: QuerySet[IncidentEntry] = IncidentEntry.objects.filter(incident=incident).select_related("command")
    return [_line(incident, entry) for entry in rows.order_by("-at", "-id")[:MOST]]


def _line(incident: Incident, entry: IncidentEntry) -> Line:
    glyph, say = KINDS[entry.kind]
    said = say(incident, entry) if callable(say) else str(say)
    glyph = str(entry.facts.get("outcome", glyph))  # how what a rule did ended
    return Line(entry, glyph or incident.severity, said, visible(entry.actor), visible_lines(entry.text))


def _opened(incident: Incident, _entry: IncidentEntry) -> Said:
    value = words.amount(incident.kind, incident.value, incident.facts)
    return _("Opened at %(value)s") % {"value": value} if value else _("Opened")


def _closed(incident: Incident, _entry: IncidentEntry) -> Said:
    return str(CLOSED_WORDS[incident.close_reason][1])


def _worse(incident: Incident, entry: IncidentEntry) -> Said:
    value = words.amount(incident.kind, entry.facts.get("value"), incident.facts)
    return _("Worse: %(value)s") % {"value": value} if value else _("Worse")


def _no_data(_incident: Incident, entry: IncidentEntry) -> Said:
    if why := words.why_no_data(entry.facts):
        return _("Nothing certain any more, as %(why)s: it stays open until there is") % {"why": why}
    return _("No data any more: it stays open until there is some")


def _grew(_incident: Incident, entry: IncidentEntry) -> Said:
    count = int(entry.facts.get("members", 1))
    return ngettext("%(count)s more joined", "%(count)s more joined", count) % {"count": show.plain(count)}


def _assigned(_incident: Incident, entry: IncidentEntry) -> Said:
    to = visible(str(entry.facts.get("to") or ""))
    return _("Assigned to %(who)s") % {"who": to} if to else _("Assigned to nobody")


def _partly(_incident: Incident, entry: IncidentEntry) -> Said:
    to, move = visible(str(entry.facts.get("to") or "")), entry.facts["move"]
    counts = {name: show.plain(entry.facts[name]) for name in ("members", "of")}
    return str(PARTS[move, bool(to)]) % {**counts, "who": to}


def _snoozed(_incident: Incident, entry: IncidentEntry) -> Said:
    until = parse_datetime(str(entry.facts.get("until", "")))
    return format_html(_("Snoozed until {}"), show.at(until, "short")) if until else _("Snoozed")


def _acted(_incident: Incident, entry: IncidentEntry) -> Said:
    return remedy_words.sentence(entry)


def _noticed(_incident: Incident, entry: IncidentEntry) -> Said:
    return told.line(entry)


KINDS: dict[str, tuple[str, Any | Callable[[Incident, IncidentEntry], Said]]] = {  # the glyph; empty: the severity's
    states.OPENED: ("", _opened),
    states.JOINED: ("", gettext_lazy("Became part of an incident of many servers")),
    states.GREW: ("", _grew),
    states.WORSE: ("", _worse),
    states.NO_DATA: ("silent", _no_data),
    states.DATA_AGAIN: ("up", gettext_lazy("Data again")),
    states.TAKEN: ("acknowledged", pgettext_lazy("incident", "Acknowledged")),
    states.GIVEN_BACK: ("todo", gettext_lazy("Given back")),
    states.ASSIGNED: ("acknowledged", _assigned),
    states.PARTLY: ("todo", _partly),
    states.COMMENTED: ("todo", gettext_lazy("Comment")),
    states.SNOOZED: ("silenced", _snoozed),
    states.WOKEN: ("todo", gettext_lazy("No longer snoozed")),
    states.SILENCED: ("silenced", gettext_lazy("Silenced: nobody is told")),
    states.UNSILENCED: ("todo", gettext_lazy("No longer silenced")),
    states.FLAPPING: ("warning", gettext_lazy("Comes and goes: it stays open until it has been quiet for a while")),
    states.NOTIFIED: ("succeeded", _noticed),
    states.NOT_NOTIFIED: ("refused", _noticed),
    states.ESCALATED: ("warning", _noticed),
    states.ACTED: ("delivered", _acted),
    states.NOT_ACTED: ("refused", _acted),
    states.ACT_ENDED: ("todo", _acted),
    states.GAVE_UP: ("failed", _acted),
    states.ENDED: ("succeeded", _closed),
}
