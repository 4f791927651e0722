"""Which incidents have come to a list, or left it, since a page was made: told by the lines of their timelines.

A page says the newest line there was. What a silence or a snooze kept off the open ones comes back with its end, and
is as new to the page as what has just opened.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from alerts import states
from alerts.models import IncidentEntry
from alerts.querysets import IncidentQuerySet

LINES: Any = IncidentEntry.objects.filter(incident=OuterRef("pk"))


def closed(found: IncidentQuerySet, after: int) -> IncidentQuerySet:
    """Of closed ones, those that ended after that line."""
    return found.filter(Exists(LINES.filter(pk__gt=after, kind=states.ENDED)))


def came(found: IncidentQuerySet, after: int, *, quiet: bool, mine: bool) -> IncidentQuerySet:
    """Of live ones that are quiet now, or loud, those that were not so, or not there, at that line.

    mine: also those that have been assigned since.
    """
    there = Q(Exists(LINES.filter(pk__lte=after, kind=states.OPENED))) & _as_then(quiet)
    given = LINES.filter(pk__gt=after, kind__in=(states.ASSIGNED, states.PARTLY))
    return _then(found, after).filter(~there | Q(Exists(given)) if mine else ~there)


def woke(found: IncidentQuerySet, after: int) -> IncidentQuerySet:
    """Of loud ones, those that were there and quiet at that line."""
    return _then(found, after).filter(_as_then(quiet=True))


def _then(found: IncidentQuerySet, after: int) -> IncidentQuerySet:
    """With the last lines up to that one that say whether it was silenced, and snoozed."""
    until = LINES.filter(pk__lte=after).order_by("-pk").values("kind")
    silenced = until.filter(kind__in=(states.SILENCED, states.UNSILENCED))[:1]
    snoozed = until.filter(kind__in=(states.SNOOZED, states.WOKEN))[:1]
    never = Value("")  # else "not silenced then" would be unknown, not true
    return found.annotate(
        silenced_then=Coalesce(Subquery(silenced), never), snoozed_then=Coalesce(Subquery(snoozed), never)
    )


def _as_then(quiet: bool) -> Q:
    was = Q(silenced_then=states.SILENCED) | Q(snoozed_then=states.SNOOZED)
    return was if quiet else ~was
