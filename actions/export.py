"""The audit trail filtered, and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from actions import states
from actions.models import AuditEntry
from actions.querysets import AuditQuerySet

COLUMNS = (
    "time", "who", "address", "event", "verb", "target", "server", "from", "to", "reason", "command", "record", "facts",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # what spreadsheets run
TEXT_LENGTH = 200


def filtered(user: Any, params: Mapping[str, str]) -> tuple[AuditQuerySet, dict[str, str]]:
    """The entries in the user's scope that match q, who, state, event, server, from, to; and what is wrong with which.

    from and to are ISO 8601 moments or days, UTC where no zone is said; a day given as `to` is meant whole. A wrong
    filter matches nothing.
    """
    entries: AuditQuerySet = AuditEntry.objects.visible_to(user).select_related("server", "command", "schedule")
    errors: dict[str, str] = {}
    for name, clause in FILTERS.items():
        given = params.get(name, "").strip().replace("\0", "")
        if not given:
            continue
        try:
            entries = entries.filter(clause(given[:TEXT_LENGTH]))
        except ValueError as error:
            errors[name] = str(error)
    return (entries.none() if errors else entries), errors


def csv_rows(entries: AuditQuerySet) -> Iterator[str]:
    """The lines of the file, header first, read from the database a few thousand at a time."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for entry in entries.iterator(chunk_size=2_000):
        yield writer.writerow([_harmless(str(value)) for value in _cells(entry)])


class _Echo:
    def write(self, line: str) -> str:
        return line


def _cells(entry: AuditEntry) -> list[Any]:
    return [
        entry.at.isoformat(timespec="milliseconds"),
        entry.actor,
        entry.address or "",
        entry.event,
        entry.cmd,
        entry.target,
        entry.server.agent_id if entry.server else "",
        entry.from_state,
        entry.to_state,
        entry.reason,
        entry.command.uuid if entry.command else "",
        entry.pk,
        "; ".join(f"{name}={value}" for name, value in entry.facts.items()),
    ]


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _text(given: str) -> Q:
    columns = ("target", "cmd", "reason", "actor", "server__hostname", "server__agent_id")
    clause = Q()
    for word in given.split():
        clause &= Q(*((f"{column}__icontains", word) for column in columns), _connector=Q.OR)
    return clause


def _state(given: str) -> Q:
    if given not in states.STATES:
        raise ValueError(_("Use one of %(words)s.") % {"words": ", ".join(states.STATES)})
    return Q(to_state=given)


def _moment(given: str, day_ends: bool = False) -> datetime:
    try:
        moment, day = parse_datetime(given), parse_date(given)
        if day is not None:
            moment = datetime.combine(day, time.min) + timedelta(days=1 if day_ends else 0)
    except (ValueError, OverflowError):  # no such day, or the last one there is
        moment = None
    if moment is None:
        raise ValueError(_("Use a moment such as 2026-11-23 or 2026-11-23T14:06."))
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


FILTERS: dict[str, Callable[[str], Q]] = {
    "q": _text,
    "who": lambda given: Q(actor=given),
    "state": _state,
    "event": lambda given: Q(event=given),
    "server": lambda given: Q(server__agent_id=given),
    "from": lambda given: Q(at__gte=_moment(given)),
    "to": lambda given: Q(at__lt=_moment(given, day_ends=True)),
}
