"""Contacts and notices in words: kinds, states, and why a notice did not get there. Addresses are shown masked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from alerts import states
from alerts.notify import models
from alerts.notify.models import Contact, Notification
from pmonitor.templatetags import show
from pmonitor.visible import visible

KINDS: dict[str, Any] = {
    models.EMAIL: gettext_lazy("E-mail"),
    models.SLACK: gettext_lazy("Slack"),
    models.WEBHOOK: gettext_lazy("Webhook"),
    models.APPRISE: gettext_lazy("Apprise"),
}
EVENTS: dict[str, Any] = {
    models.OPENED: pgettext_lazy("notice", "Opened"),
    models.CLOSED: pgettext_lazy("notice", "Closed"),
    models.ESCALATION: pgettext_lazy("notice", "Escalation"),
    models.SUMMARY: pgettext_lazy("notice", "Summary"),
    models.TEST: pgettext_lazy("notice", "Test"),
}
STATES: dict[str, tuple[str, Any]] = {  # the glyph's state, the word
    models.QUEUED: ("queued", pgettext_lazy("notice", "Waits")),
    models.SENDING: ("running", pgettext_lazy("notice", "Being sent")),
    models.SENT: ("succeeded", pgettext_lazy("notice", "Sent")),
    models.FAILED: ("failed", pgettext_lazy("notice", "Failed")),
    models.DROPPED: ("cancelled", pgettext_lazy("notice", "Not sent")),
}

# Why a notice was not sent, as its row and the timeline keep it: the word, or "word:detail"
OVER, SILENCED, SNOOZED, OFF = "over", "silenced", "snoozed", "off"
JOINED, TAKEN, UNTOLD, BROKEN, EMPTY = "joined", "taken", "untold", "broken", "empty"
WHY: dict[str, Any] = {
    OVER: gettext_lazy("it was over before anybody was told"),
    SILENCED: gettext_lazy("it is silenced"),
    SNOOZED: gettext_lazy("it is snoozed"),
    OFF: gettext_lazy("the contact is off"),
    JOINED: gettext_lazy("it became part of one of many servers"),
    TAKEN: gettext_lazy("somebody took it on"),
    UNTOLD: gettext_lazy("its opening was not told"),
    BROKEN: gettext_lazy("the contact is broken"),
    EMPTY: gettext_lazy("nothing was left to tell"),
    "status": gettext_lazy("the receiver answered %(detail)s"),
    "redirect": gettext_lazy("the receiver redirects (%(detail)s); give the address that it redirects to"),
    "timeout": gettext_lazy("the receiver did not answer in time"),
    "refused": gettext_lazy("no connection to the receiver"),
    "name": gettext_lazy("the receiver's host name is not found"),
    "internal": gettext_lazy("its address is an internal one, which this contact may not use"),
    "tls": gettext_lazy("no secure connection to the receiver: its certificate does not hold"),
    "cut": gettext_lazy("the receiver closed the connection"),
    "address": gettext_lazy("the address cannot be used"),
    "no mail": gettext_lazy("the hub has no mail server: set SMTP_URL and SMTP_FROM"),
    "mail login": gettext_lazy("the hub's mail server did not take the hub's password"),
    "mail sender": gettext_lazy("the hub's mail server does not take mail from SMTP_FROM (%(detail)s)"),
    "mail": gettext_lazy("the mail server answered %(detail)s"),
    "service": gettext_lazy("the service did not take it"),
    "hub": gettext_lazy("the hub failed at it; its log says more"),
}
FAILED = "failed"  # the fact of a notice, of WHY: how its last try failed; kept when it is dropped for another reason


def why(said: str) -> str:
    """A reason that was kept, in a sentence's words; empty for none."""
    word, _colon, detail = said.partition(":")
    return str(WHY.get(word, said)) % {"detail": detail} if said else ""


def tried(row: Notification) -> tuple[str, int]:
    """How the last try of a notice failed, of WHY, and how many there were; of one in a summary, of the summary."""
    one = row.summary or row
    failed = str(one.facts.get(FAILED, ""))
    return failed, one.attempts if failed else 0


def whole_why(said: str, failed: str, tries: int) -> str:
    """Why one was not sent, and how it was tried before: "it is snoozed; 3 tries failed, the last: …"."""
    if not failed or (said == failed and tries == 1):
        return why(said)
    words = {"why": why(said), "n": show.plain(tries), "failed": why(failed)}
    if said == failed:
        return ngettext("%(failed)s (%(n)s try)", "%(failed)s (%(n)s tries)", tries) % words
    return (
        ngettext("%(why)s; %(n)s try failed: %(failed)s", "%(why)s; %(n)s tries failed, the last: %(failed)s", tries)
        % words
    )


def notice(row: Notification) -> tuple[str, str, str]:
    """How a notice stands: a glyph's state, a word, and why it was not sent or is tried again. Its summary selected."""
    glyph, word = STATES[row.state]
    if row.state == models.SENT:
        return glyph, str(word), ""
    failed, tries = tried(row)
    glyph = "failed" if failed and row.state == models.DROPPED else glyph
    return glyph, str(word), whole_why(row.error or failed, failed, tries)


def line(kind: str, facts: dict[str, Any]) -> str:
    """The sentence of a line of an incident's timeline; facts: {contact, event, why, failed, tries, summary}."""
    said = whole_why(str(facts.get("why", "")), str(facts.get(FAILED, "")), int(facts.get("tries", 0)))
    told = {"contact": visible(str(facts.get("contact", ""))), "why": said}
    if kind == states.ESCALATED and facts.get("why"):
        return _("Its rule gave up acting; told the next ones")
    if kind == states.ESCALATED:
        return _("Nobody took it on in time; told the next ones")
    if kind == states.NOT_NOTIFIED:
        return _("%(contact)s was not told: %(why)s") % told
    if facts.get("summary"):
        return _("Told %(contact)s in a summary of many") % told
    if facts.get("event") == models.CLOSED:
        return _("Told %(contact)s that it is over") % told
    if facts.get("event") == models.ESCALATION:
        return _("Told %(contact)s that nobody took it on") % told
    return _("Told %(contact)s") % told


def masked(contact: Contact) -> str:
    """As much of an address as may be shown: "o…@example.net", "https://hooks.slack.com/…", "discord://…"."""
    if contact.kind == models.EMAIL:
        name, _at, host = contact.address.rpartition("@")
        return f"{visible(name[:1])}…@{visible(host)}"
    if contact.kind == models.APPRISE:
        return f"{visible(contact.address.partition('://')[0])}://…"
    parts = urlsplit(contact.address)
    return f"{visible(parts.scheme)}://{visible(parts.hostname or '')}/…"


def state(contact: Contact) -> tuple[str, str]:
    """How a contact stands: a glyph's state and a word."""
    if not contact.enabled:
        return "inactive", pgettext("contact", "Off")
    if contact.broken_at:
        return "failed", pgettext("contact", "Broken")
    return "active", pgettext("contact", "On")
