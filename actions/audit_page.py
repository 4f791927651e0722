"""One page of the audit trail: filtered records, newest first, and the way to older and newer ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from actions import export, hub_absence, reads, states, verbs
from actions.command_page import spent
from actions.models import AuditEntry
from actions.schedules import words as schedule_words
from pmonitor.visible import visible
from servers.models import Server
from servers.twins import twin_of

PAGE = 50
MOST_COUNTED = 10_000  # counting on is not worth the database's time
MOST_LOOKED_AT = 5_000  # records, for who is in them
FILTERS = ("q", "who", "state", "event", "server", "from", "to")
EVENTS = {  # what is not a move
    "command.joined": gettext_lazy("Joined"),
    "command.denied": gettext_lazy("Denied"),
    "command.evidence": gettext_lazy("Evidence came"),
    "command.late_result": gettext_lazy("Late answer"),
    "command.unsettled": gettext_lazy("Given up"),
    "lease.started": gettext_lazy("Stopped for a time"),
    "lease.extended": gettext_lazy("Stop extended"),
    "lease.kept": gettext_lazy("Kept stopped"),
    "lease.ended": gettext_lazy("Active again"),
    "lease.failed": gettext_lazy("Not started again"),
    "lease.overdue": gettext_lazy("Start overdue"),
    hub_absence.EVENT: gettext_lazy("Hub away"),
    "rollout.started": gettext_lazy("Rollout started"),
    "rollout.halted": gettext_lazy("Rollout halted"),
    "rollout.resumed": gettext_lazy("Rollout resumed"),
    "rollout.retried": gettext_lazy("Retried"),
    "rollout.skipped": gettext_lazy("Skipped"),
    "rollout.ended": gettext_lazy("Rollout ended"),
    "rollout.finished": gettext_lazy("Rollout finished"),
    **{event: word for event, (_glyph, word) in schedule_words.EVENTS.items()},
}
GLYPHS = {
    hub_absence.EVENT: "silent",
    "command.denied": "refused",
    "rollout.halted": "failed",
    "rollout.ended": "cancelled",
    "rollout.finished": "succeeded",
    **{event: glyph for event, (glyph, _word) in schedule_words.EVENTS.items()},
}
# What a record of another app's is about, and its page (empty: it has none): the event's group -> (record) -> both.
ABOUT: dict[str, Callable[[AuditEntry], tuple[str, str]]] = {}


def context(user: Any, query: QueryDict) -> dict[str, Any]:
    """What audit.html shows; query: the filters, and before or after a record's number."""
    entries, errors = export.filtered(user, _given(query))
    kept = _kept(query)
    page, newer, older = _page(entries, query)
    return {
        "records": [record(entry) for entry in page],
        "errors": errors,
        "given": _given(query),
        "people": _people(user, query.get("who", "")),
        "states": [(state, verbs.STATE_WORDS[state]) for state in states.STATES],
        "chips": _chips(query),
        "kept": kept.urlencode(),
        "newer": page[0].pk if page and newer else None,
        "older": page[-1].pk if page and older else None,
        "last": newest_record(),
        "first_page": "before" not in query and "after" not in query,
    } | _counted(entries)


def newest_record() -> int:
    """The number of the newest record of all, 0 when there is none."""
    return AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def newer(user: Any, query: QueryDict) -> tuple[int, str]:
    """How many matching records came after number `after`, and the address that shows them."""
    entries, _errors = export.filtered(user, _given(query))
    return entries.filter(pk__gt=_number(query.get("after", ""))).count(), f"?{_kept(query).urlencode()}"


def record(entry: AuditEntry) -> dict[str, Any]:
    """One record as a row."""
    moved = entry.to_state in verbs.STATE_WORDS
    return {
        "entry": entry,
        "who": visible(entry.actor),
        "what": _what(entry),
        "url": _about(entry)[1],
        "state": entry.to_state if moved else GLYPHS.get(entry.event, "todo"),
        "word": verbs.STATE_WORDS[entry.to_state] if moved else _event(entry),
        "took": _took(entry),
        "reason": visible(entry.reason),
        "today": entry.at.date() == timezone.now().date(),
    }


def _what(entry: AuditEntry) -> str:
    """ "Restart nginx.service", "Log of nginx.service"."""
    target, (group, _dot, kind) = visible(entry.target), entry.event.partition(".")
    if entry.cmd:
        return verbs.titled(entry.cmd, target, _args(entry))
    if entry.event == hub_absence.EVENT:
        return hub_absence.words(entry.facts)
    if group == "read" and kind in reads.KINDS:
        return str(reads.KINDS[kind].titled) % {"target": target}
    return _about(entry)[0] or visible(entry.event)


def _about(entry: AuditEntry) -> tuple[str, str]:
    group = entry.event.partition(".")[0]
    return ABOUT[group](entry) if group in ABOUT else ("", "")


def _event(entry: AuditEntry) -> str:
    return _("Read") if entry.event.startswith("read.") else str(EVENTS.get(entry.event, visible(entry.event)))


def _args(entry: AuditEntry) -> dict[str, Any]:
    """The arguments of the command it is about, also of one that was denied."""
    found: dict[str, Any] = entry.command.args if entry.command else entry.facts.get("args", {})
    return found


def _took(entry: AuditEntry) -> str:
    """How long the command took, on the record of its end."""
    command = entry.command
    if command is None or command.ended_at is None or entry.to_state not in states.ENDED:
        return ""
    return spent((command.ended_at - (command.started_at or command.created_at)).total_seconds())


def _page(entries: Any, query: QueryDict) -> tuple[list[AuditEntry], bool, bool]:
    """The page's records, whether there are newer ones, whether older ones."""
    entries = entries.annotate(twin=twin_of(Server, "server__"))
    before, after = _number(query.get("before", "")), _number(query.get("after", ""))
    if after:
        found = list(entries.filter(pk__gt=after).order_by("id")[: PAGE + 1])
        return found[:PAGE][::-1], len(found) > PAGE, True
    if before:
        entries = entries.filter(pk__lt=before)
    found = list(entries.order_by("-id")[: PAGE + 1])
    return found[:PAGE], bool(before), len(found) > PAGE


def _counted(entries: Any) -> dict[str, Any]:
    total = entries.order_by()[: MOST_COUNTED + 1].count()
    return {"total": min(total, MOST_COUNTED), "more": total > MOST_COUNTED}


def _people(user: Any, chosen: str) -> list[str]:
    """Who has newer records in the reader's scope: who else there is, is not everybody's to know."""
    acted = AuditEntry.objects.visible_to(user).filter(actor_user__isnull=False).order_by("-id")
    names = set(acted.values_list("actor", flat=True)[:MOST_LOOKED_AT])
    return sorted(names | ({chosen} if chosen else set()))


def _chips(query: QueryDict) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    said = {
        "q": _("“{}”"),
        "who": _("by {}"),
        "state": "{}",
        "event": "{}",
        "server": _("on {}"),
        "from": pgettext("a day", "since {}"),
        "to": pgettext("a day", "until {}"),
    }
    chips = []
    for name, words in said.items():
        if value := query.get(name, "").strip():
            rest = _kept(query)
            rest.pop(name, None)
            shown = str(verbs.STATE_WORDS.get(value, value)) if name == "state" else visible(value)
            chips.append({"words": words.format(shown), "without": f"{reverse('actions:audit')}?{rest.urlencode()}"})
    return chips


def _given(query: QueryDict) -> dict[str, str]:
    return {name: query.get(name, "") for name in FILTERS}


def _kept(query: QueryDict) -> QueryDict:
    """The filters alone, for links that keep them."""
    kept = QueryDict(mutable=True)
    for name in FILTERS:
        if value := query.get(name, "").strip():
            kept[name] = value
    return kept


def _number(given: str) -> int:
    return int(given) if given.isdecimal() and len(given) < 19 else 0
