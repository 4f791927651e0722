"""An incident as pages show it, now: its title, where it is, how it stands, how long it has been."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Count, Exists, ExpressionWrapper, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from actions.audit import name_of
from alerts import states, words
from alerts.models import Incident
from alerts.rules import names
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.twins import twin_of

NEAR = timedelta(days=1)
CLOSED_WORDS: dict[str, tuple[str, Any]] = {  # why it closed: the glyph, the word
    states.CLEARED: ("succeeded", pgettext_lazy("incident", "Cleared")),
    states.RULE_OFF: ("inactive", gettext_lazy("Rule switched off")),
    states.RULE_DELETED: ("inactive", gettext_lazy("Rule deleted")),
    states.BY_HAND: ("cancelled", gettext_lazy("Closed by hand")),
    states.SUBJECT_GONE: ("inactive", gettext_lazy("No longer there")),
}


class Shown(NamedTuple):
    """An incident that was fetched with `fetched`, in words."""

    incident: Incident

    @property
    def id(self) -> str:
        """The element's id in lists."""
        return f"inc-{self.incident.pk}"

    @property
    def url(self) -> str:
        """Its page."""
        return reverse("incidents:one", args=[self.incident.uuid])

    @property
    def title(self) -> str:
        """What is wrong."""
        return words.title(self.incident)

    @property
    def severity(self) -> str:
        """Its severity in a word."""
        return str(words.SEVERITY_WORDS[self.incident.severity])

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self.incident.state == states.CLOSED

    @property
    def open(self) -> bool:
        """Whether nobody has taken it."""
        return self.incident.state == states.OPEN

    @property
    def host(self) -> str:
        """The server's whole host name, or how many servers it is about; safe to read."""
        server = self.incident.server
        return visible(server.hostname) if server else self.servers

    @property
    def servers(self) -> str:
        """How many servers an incident of many is about, in words."""
        count = int(self.incident.facts.get("servers", 0))
        return ngettext("%(count)s server", "%(count)s servers", count) % {"count": show.plain(count)}

    @property
    def named(self) -> str:
        """What it is called where one string is needed: "nginx.service failed, web-buh-10"."""
        server = self.incident.server
        if server is None:  # whose title says on how many
            return self.title
        where = show.first_label(visible(server.hostname))
        return pgettext("incident", "%(title)s, %(where)s") % {"title": self.title, "where": where}

    @property
    def lasted(self) -> SafeString:
        """For how long it has been open, ticking; of a closed one, for how long it was."""
        incident = self.incident
        if incident.closed_at is None:
            return show.age(incident.opened_at)
        return show.duration((incident.closed_at - incident.opened_at).total_seconds())

    @property
    def data_state(self) -> str:
        """The data-state of its row: a closed or silenced one asks for no eyes."""
        return self.incident.severity if not self.closed and not self.quiet else ""

    @property
    def quiet(self) -> bool:
        """Whether nobody is told of it now."""
        return not self.closed and (self.incident.silence_id is not None or self.snoozed)

    @property
    def snoozed(self) -> bool:
        """Whether it sleeps until a moment still to come."""
        until: datetime | None = self.incident.snoozed_until
        return until is not None and until > timezone.now()

    @property
    def standing(self) -> tuple[str, str | SafeString] | None:
        """The glyph and the words of how it stands; None for an open one that nobody has taken."""
        incident = self.incident
        if self.closed:
            glyph, word = CLOSED_WORDS[incident.close_reason]
            return glyph, format_html("{} {}", word, show.age(incident.closed_at, "ago"))
        if self.snoozed:
            return "silenced", format_html(_("Snoozed until {}"), show.at(incident.snoozed_until, "short"))
        if incident.silence_id is not None:
            return "silenced", self._silenced
        return ("acknowledged", self.taken) if incident.state == states.ACKNOWLEDGED else None

    @property
    def taken(self) -> str:
        """Who has taken it."""
        return pgettext("acknowledged", "by %(who)s") % {"who": visible(self.incident.acknowledged_by_name)}

    @property
    def _silenced(self) -> str | SafeString:
        silence = self.incident.silence
        until = silence.ends_at if silence and not silence.cron else None  # a window's end is not this time's
        if until is None:
            return pgettext("incident", "Silenced")
        return format_html(_("Silenced until {}"), show.at(until, "short"))

    @property
    def part(self) -> str:
        """Of an open one of many servers, of how many members somebody has taken some; empty where of none."""
        one: Any = self.incident
        live, taken = one.members_live, one.members_taken
        if not taken or not self.open:
            return ""
        return _("%(some)s of %(all)s acknowledged") % {"some": show.plain(taken), "all": show.plain(live)}

    @property
    def rule(self) -> str:
        """The rule's name where another rule's incident is called the same at that time; else empty."""
        one: Any = self.incident
        return names.shown(one.rule_name) if one.alike else ""

    @property
    def notes(self) -> list[str | SafeString]:
        """What else is to be known at a glance."""
        incident, said = self.incident, list[str | SafeString]()
        said += [note for note in (self.rule, self.part) if note]
        if incident.flapping and not self.closed:
            said.append(words.flapping(incident, timezone.now()))
        if incident.no_data_since and not self.closed:
            since = format_html(_("no data since {}"), show.at(incident.no_data_since, "short"))
            why = words.why_no_data(incident.facts)
            said.append(format_html("{}: {}", since, why) if why else since)
        if incident.assigned_to and not self.closed:
            said.append(_("for %(who)s") % {"who": visible(name_of(incident.assigned_to))})
        return said

    @property
    def version(self) -> str:
        """Changes with what is shown of it."""
        one = self.incident
        told: tuple[Any, ...] = (one.state, one.severity, one.silence_id, self.snoozed, one.flapping, one.no_data_since)
        told += (self.rule, self.part)
        told += (one.assigned_to_id, one.acknowledged_by_name, one.facts.get("servers"), one.facts.get("noData"))
        return blake2s(repr(told).encode(), digest_size=8).hexdigest()


def fetched(incidents: models.QuerySet[Incident]) -> models.QuerySet[Incident]:
    """These with what `Shown` reads of them."""
    live: Any = Incident.objects.live().filter(whole=OuterRef("pk")).order_by().values("whole")
    counted = live.annotate(number=Count("pk")).values("number")
    return incidents.select_related("server", "silence", "assigned_to", "rule", "whole").annotate(
        twin=twin_of(Server, "server__"),
        members_live=Subquery(counted),
        members_taken=Subquery(counted.filter(state=states.ACKNOWLEDGED)),
        alike=_alike(),
    )


def _alike() -> Any:
    """Whether another rule has one of the same kind about the same: live, or begun within a day of this one."""
    same = {"kind": OuterRef("kind"), "subject": OuterRef("subject")}
    others: Any = Incident.objects.filter(**same).exclude(rule=OuterRef("rule"))
    here = others.filter(server=OuterRef("server"))
    near = here.filter(opened_at__gte=OuterRef("opened_at") - NEAR, opened_at__lte=OuterRef("opened_at") + NEAR)
    many = Q(Exists(others.live().filter(server=None)), server=None)
    return ExpressionWrapper(Q(Exists(here.live())) | Q(Exists(near)) | many, output_field=models.BooleanField())


def all_of(incidents: Iterable[Incident]) -> list[Shown]:
    """Each as it is shown."""
    return [Shown(one) for one in incidents]


def worst_first(incidents: models.QuerySet[Incident]) -> models.QuerySet[Incident]:
    """Critical ones before warnings, then the newest first."""
    worst = models.Case(models.When(severity=states.CRITICAL, then=0), default=1)
    return incidents.order_by(worst, "-opened_at", "-pk")
