"""Silences in words: whether they hold, what they cover, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from actions import verdicts, zones
from actions.models import AuditEntry
from actions.schedules import times
from actions.schedules.words import there
from alerts.models import Silence
from alerts.quiet import covering
from alerts.rules import names
from pmonitor.visible import visible

ACTIVE, COMING, OVER = "active", "coming", "over"
STATES: dict[str, tuple[str, Any]] = {  # the glyph's state, the word
    ACTIVE: ("silenced", pgettext_lazy("silence", "Active")),
    COMING: ("queued", pgettext_lazy("silence", "Coming")),
    OVER: ("inactive", pgettext_lazy("silence", "Over")),
}
EVENTS: dict[str, tuple[str, Any]] = {  # of the audit trail
    "silence.made": ("silenced", gettext_lazy("Silenced")),
    "silence.changed": ("silenced", gettext_lazy("Silence changed")),
    "silence.ended": ("todo", gettext_lazy("Silence ended")),
}


def state_of(silence: Silence, now: datetime) -> str:
    """Whether it holds, will hold, or is over."""
    if covering.holds(silence, now):
        return ACTIVE
    return COMING if following(silence, now) else OVER


def following(silence: Silence, now: datetime, count: int = 1) -> list[datetime]:
    """When it begins next, at most so often; of one that began already, when its windows do."""
    if silence.ended_at:
        return []
    if not silence.cron:
        return [silence.starts_at] if silence.starts_at > now else []
    since = max(now, silence.starts_at - timedelta(seconds=1))
    found = times.upcoming(silence.cron, silence.zone, since, count)
    return [at for at in found if silence.ends_at is None or at < silence.ends_at]


def when(silence: Silence) -> str:
    """ "Sun 29 Nov 2026, 02:00 EET to 04:00 EET", "0 3 * * SUN Europe/Bucharest, 2 h each"."""
    if silence.cron:
        span = verdicts.span(silence.duration_sec or 0)
        return _("%(cron)s %(zone)s, %(span)s each") % {"cron": silence.cron, "zone": silence.zone, "span": span}
    ends = silence.ended_at or silence.ends_at or silence.starts_at
    start, end = there(silence.starts_at, silence.zone), there(ends, silence.zone)
    first, last = zones.there(silence.starts_at, silence.zone), zones.there(ends, silence.zone)
    if first.date() == last.date():
        end = f"{last:%H:%M} {last:%Z}"
    return _("%(start)s to %(end)s") % {"start": start, "end": end}


def scope(silence: Silence) -> str:
    """The line of its scope, or that it is for every server."""
    return visible(silence.scope) if silence.scope else _("every server")


def rule(silence: Silence) -> str:
    """The name of its rule, or that it is for every rule."""
    return names.shown(silence.rule.name) if silence.rule else _("every rule")


def about(entry: AuditEntry) -> tuple[str, str]:
    """What a record of a silence is about, and its page."""
    number, covered = entry.facts.get("silence"), [entry.facts.get("rule"), entry.facts.get("scope")]
    said = visible(": ".join(str(one) for one in covered if one)) or _("every server")
    return said, reverse("silences:detail", args=[number]) if isinstance(number, int) else ""
