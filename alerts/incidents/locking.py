"""The one order in which incidents' rows are locked: first those of many servers, then the others, by their numbers.

Who changes several incidents locks them so before, else two who change the same ones could wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from alerts.models import Incident


def wholes_of(numbers: Collection[int]) -> list[int]:
    """Lock those of these incidents that are of many servers, and those whose members they are; returns them."""
    members: Any = Incident.objects.filter(pk__in=numbers, whole__isnull=False).values("whole")
    return _locked(Incident.objects.filter(pk__in=numbers, server=None) | Incident.objects.filter(pk__in=members))


def live_wholes() -> list[int]:
    """Lock every live incident of many servers; returns their numbers."""
    return _locked(Incident.objects.live().filter(server=None))


def each(numbers: Collection[int]) -> None:
    """Lock these incidents, except those of many servers."""
    _locked(Incident.objects.filter(pk__in=numbers, server__isnull=False))


def _locked(which: Any) -> list[int]:
    return list(which.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
