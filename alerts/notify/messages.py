"""What a notice says, in its contact's language: the title, what is known, links, and the same as data for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Case, When
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from actions import zones
from actions.schedules import words as schedule_words
from alerts import states
from alerts import words as incident_words
from alerts.models import Contact, Incident, Notification
from alerts.notify import models, summaries, top_process
from alerts.notify.words import FAILED
from alerts.rules import names
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, state_words

TITLES: dict[str, Any] = {
    models.OPENED: gettext_lazy("%(severity)s: %(what)s"),
    models.CLOSED: gettext_lazy("Over: %(what)s"),
    models.ESCALATION: gettext_lazy("Nobody took it on: %(what)s"),
}

MOST_LISTED = 50  # notices that a summary names to programs
LISTED = ("id", "url", "rule", "severity", "state", "server", "servers", "title")  # what it says of each incident


class Line(NamedTuple):
    """One thing that is known: "Where", "web-01"."""

    label: str
    value: str


class Link(NamedTuple):
    """A way to a page of the hub."""

    word: str
    url: str


class Message(NamedTuple):
    """A notice, ready to be sent. good: it tells an end. thread: what belongs together. All text is on one line."""

    number: int
    title: str
    intro: str
    lines: list[Line]
    links: list[Link]
    severity: str
    good: bool
    thread: str
    data: dict[str, Any]

    @property
    def body(self) -> str:
        """All but the title, as text."""
        said = [*([self.intro] if self.intro else []), *(f"{line.label}: {line.value}" for line in self.lines)]
        return "\n".join([*said, *(f"{link.word}: {link.url}" for link in self.links)])

    @property
    def text(self) -> str:
        """The plain text of an e-mail."""
        return render_to_string("notice.txt", {"message": self})

    @property
    def html(self) -> str:
        """The HTML of an e-mail."""
        return render_to_string("notice.html", {"message": self})


def of(row: Notification) -> Message:
    """The message of a notice that has its contact selected; keeps in a summary's facts how many of what it tells."""
    with translation.override(row.contact.language):
        if row.event == models.TEST:
            return _test(row)
        if row.event == models.SUMMARY:
            return _summary(row)
        return _incident(row, Incident.objects.select_related("server").get(notifications=row))


def page(path: str) -> str:
    """The whole address of a page; empty where the hub does not know its own (HUB_URL)."""
    return f"{settings.HUB_URL}{path}" if settings.HUB_URL else ""


def _test(row: Notification) -> Message:
    intro = _("This is a test. Notices to %(contact)s arrive.") % {"contact": visible(row.contact.name)}
    title = _("Test of Process Monitor")
    return _message(row, title, intro, [], [], good=True, data={})


def _summary(row: Notification) -> Message:
    row.facts = row.facts | summaries.counted(row)
    lines = [Line(label, value) for label, value in summaries.lines(row.facts)]
    links = _links((_("Incidents"), page(reverse("incidents:list"))))
    severity = states.CRITICAL if row.facts["critical"] else states.WARNING
    good = not row.facts["opened"] and not row.facts["escalation"]
    counts = {name: value for name, value in row.facts.items() if name != FAILED}
    data = {"summary": {**counts, **_listed(row)}}
    return _message(row, summaries.title(row.facts), summaries.intro(row.facts), lines, links, severity, good, data)


def _incident(row: Notification, one: Incident) -> Message:
    words = {"severity": incident_words.SEVERITY_WORDS[one.severity], "what": _what(one)}
    title = str(TITLES[row.event]) % words
    links = _links((_("Incident"), _page_of(one)), (_("The server at that moment"), _moment(one)))
    intro = _("Nobody has taken it on yet.") if row.event == models.ESCALATION else ""
    good = row.event == models.CLOSED
    lines = [Line(label, value) for label, value in _lines(one, row.contact, good) if value]
    return _message(row, title, intro, lines, links, one.severity, good, {"incident": _data(one)}, str(one.uuid))


def _what(one: Incident) -> str:
    """What and where; of many servers, the title says how many."""
    title = incident_words.title(one)
    return f"{title}, {_where(one)}" if one.server else title


def _lines(one: Incident, contact: Contact, good: bool) -> list[tuple[str, str]]:
    zone = zones.known(contact.hours.get("zone", zones.UNKNOWN))
    lines = [
        (_("Severity"), str(incident_words.SEVERITY_WORDS[one.severity])),
        (_("Where"), _whole_name(one)),
        (_("Rule"), names.shown(one.rule_name)),
        (_("Since"), schedule_words.there(one.began_at, zone)),
        (_("Value"), incident_words.amount(one.kind, one.value, one.facts)),
        (pgettext("alert", "Process"), "" if good or one.server is None else top_process.told(one)),
        (_("Taken on by"), visible(one.acknowledged_by_name)),
    ]
    if good and one.closed_at:
        lines += [
            (_("Worst"), incident_words.amount(one.kind, one.worst, one.facts)),
            (_("Until"), schedule_words.there(one.closed_at, zone)),
            (_("Took"), state_words.span((one.closed_at - one.began_at).total_seconds())),
        ]
    return lines


def _where(one: Incident) -> str:
    if one.server:
        return visible(one.server.hostname)
    servers = int(one.facts.get("servers", 0))
    return ngettext("%(n)s server", "%(n)s servers", servers) % {"n": show.plain(servers)}


def _whole_name(one: Incident) -> str:
    if one.server and one.server.agent_id != one.server.hostname:
        return f"{visible(one.server.hostname)} ({visible(one.server.agent_id)})"
    return _where(one)


def _page_of(one: Incident) -> str:
    return page(reverse("incidents:one", args=[one.uuid]))


def _moment(one: Incident) -> str:
    if one.server is None:
        return ""
    return page(f"{reverse('servers:detail', args=[one.server.agent_id])}?at={moments.written(one.opened_at)}")


def _links(*links: tuple[str, str]) -> list[Link]:
    return [Link(word, url) for word, url in links if url]


def _message(
    row: Notification,
    title: str,
    intro: str,
    lines: list[Line],
    links: list[Link],
    severity: str = "",
    good: bool = False,
    data: dict[str, Any] | None = None,
    thread: str = "",
) -> Message:
    said = {"id": row.pk, "event": row.event, "madeAt": _iso(row.made_at), "title": title, **(data or {})}
    return Message(row.pk, title, intro, lines, links, severity, good, thread, said)


def _data(one: Incident) -> dict[str, Any]:
    """An incident for programs, in no language."""
    server = {"agent": one.server.agent_id, "hostname": one.server.hostname} if one.server else None
    return {
        "id": str(one.uuid),
        "url": _page_of(one) or None,
        "momentUrl": _moment(one) or None,
        "rule": one.rule_name,
        "kind": one.kind,
        "severity": one.severity,
        "state": one.state,
        "server": server,
        "servers": one.facts.get("servers", 1 if server else 0),
        "subject": one.subject,
        "title": incident_words.title(one),
        "value": one.value,
        "worst": one.worst,
        "facts": one.facts,
        "beganAt": _iso(one.began_at),
        "openedAt": _iso(one.opened_at),
        "closedAt": _iso(one.closed_at),
        "closeReason": one.close_reason or None,
        "acknowledgedBy": one.acknowledged_by_name or None,
    }


def _listed(row: Notification) -> dict[str, Any]:
    """What a claimed summary tells, one by one: how many notices, and the first of them, what is worst first."""
    inside = Notification.objects.filter(summary=row, state=models.SENDING).select_related("incident__server")
    ends_last = Case(When(event=models.CLOSED, then=1), default=0)
    severity = Case(*(When(incident__severity=one, then=-at) for at, one in enumerate(states.SEVERITIES)))
    first = inside.order_by(ends_last, severity, "pk")[:MOST_LISTED]
    named = [(one.event, _data(one.incident)) for one in first if one.incident]
    said = [{"event": event, **{name: data[name] for name in LISTED}} for event, data in named]
    return {"total": inside.count(), "incidents": said}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
