"""Worker steps that end what nothing else ends: flapping that has calmed down, wholes without members, and snoozes."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from alerts import moves, states
from alerts.incidents import flapping
from alerts.models import Incident

BATCH = 500


def end_calm() -> int:
    """Close the flapping incidents that have been well for long enough, once; returns how many."""
    now = timezone.now()
    due = Incident.objects.live().filter(flapping=True, calm_since__lte=now - flapping.QUIET).order_by("pk")
    rows = due.values_list("pk", "calm_since")[:BATCH]
    closings = [moves.Closing(pk, since + flapping.QUIET, states.CLEARED) for pk, since in rows if since]
    if not closings:
        return 0
    with transaction.atomic():
        return len(moves.close_calm(closings))


def end_empty() -> int:
    """Close incidents of many servers all of whose members were deleted with their servers; returns how many."""
    members = Incident.objects.live().filter(whole__isnull=False).values("whole")
    with transaction.atomic():
        left = Incident.objects.live().filter(server=None).exclude(pk__in=members).order_by("pk")
        wholes = list(left.select_for_update(of=("self",)).values_list("pk", flat=True))
        return len(moves.close_emptied(wholes))


def snoozed() -> QuerySet[Incident]:
    """Live incidents whose snooze ends, or has ended untold."""
    found: QuerySet[Incident] = Incident.objects.live().filter(snoozed_until__isnull=False)
    return found


def wake_snoozed() -> int:
    """End the snoozes whose time is over: listeners are told of what is live still; returns how many."""
    with transaction.atomic():
        due = snoozed().filter(snoozed_until__lte=timezone.now()).order_by("pk")
        woken = list(due.select_for_update(skip_locked=True, of=("self",)).select_related("rule", "server")[:BATCH])
        moves.wake(woken)
    return len(woken)
