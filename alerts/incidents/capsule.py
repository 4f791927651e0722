"""Worker step: fills the capsules of incidents that have opened. Columns capsule and capsule_due change only here.

An incident's row is locked while its capsule is made, and the question to its agent is asked in the same transaction:
however many workers there are and whatever is killed when, an agent is asked once. A storm is bounded: so many a round,
one at a time on a server, and of the members of one of many servers only the first.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from actions.models import Read
from alerts.incidents import capsule_found, capsule_log
from alerts.models import Incident
from pmonitor import live, logs

log = logs.get(__name__)
BATCH = 20  # a round: as many agents are asked at the most
ROUND_SEC = 0.5  # the worker's other steps wait so long at the most
MOST_LOOKED_AT = 5_000  # that are due
FIRST = 3  # members of one of many servers that get one
AGAIN, GIVEN_UP = timedelta(seconds=60), timedelta(minutes=15)  # after a failure; after the opening was seen
FAILED = "failed"


def unfilled() -> QuerySet[Incident]:
    """Incidents whose capsule is to be made, or waits for an answer."""
    return Incident.objects.filter(capsule_due__isnull=False)


def fill() -> int:
    """Make what is due and keep the answers that came; how many capsules changed."""
    now, ends = timezone.now(), time.monotonic() + ROUND_SEC
    _leave_out(now)
    made = 0
    for pk in _due(now):
        if time.monotonic() > ends:
            break
        made += _tried(pk, now)
    return made + _hear(now)


def _leave_out(now: datetime) -> None:
    """One of many servers has none of its own, and of its members only the first ones have."""
    due = unfilled().filter(capsule__isnull=True, capsule_due__lte=now)
    of_many = dict(due.filter(Q(server=None) | Q(whole__isnull=False)).values_list("pk", "whole"))
    if not of_many:
        return
    members = defaultdict(list)
    for pk, whole in Incident.objects.filter(whole__in=set(of_many.values())).order_by("pk").values_list("pk", "whole"):
        members[whole].append(pk)
    kept = {pk for pks in members.values() for pk in pks[:FIRST]}
    due.filter(pk__in=of_many.keys() - kept).update(capsule_due=None)


def _due(now: datetime) -> list[int]:
    """One of each server whose agent is not being asked just now, those that wait longest first.

    Sorted out here, as above: in a storm the database, which knows no numbers of it yet, plans a join for one row.
    """
    busy = set(_asking().values_list("server", flat=True))
    due = unfilled().filter(capsule__isnull=True, capsule_due__lte=now).order_by("capsule_due", "pk")
    first: dict[int | None, int] = {}
    for pk, server in due.values_list("pk", "server")[:MOST_LOOKED_AT]:
        if server not in busy:
            first.setdefault(server, pk)
    return list(first.values())[:BATCH]


def _asking() -> QuerySet[Incident]:
    return unfilled().filter(capsule__log__state=capsule_log.ASKING)


def _tried(pk: int, now: datetime) -> bool:
    """One that fails is tried again for a while, and holds up no other."""
    try:
        with transaction.atomic():
            return _make(pk)
    except Exception:
        log.exception("capsule.failed", incident=pk)
    here = Incident.objects.filter(pk=pk, capsule__isnull=True)
    if not here.filter(recorded_at__gt=now - GIVEN_UP).update(capsule_due=now + AGAIN):
        here.update(capsule_due=None, capsule={FAILED: True})
    return False


def _make(pk: int) -> bool:
    locked = Incident.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    incident = (
        locked.filter(pk=pk, capsule__isnull=True, capsule_due__isnull=False).select_related("rule", "server").first()
    )
    if incident is None or incident.server is None:
        return False  # another worker has it
    found = capsule_found.find(incident)
    unit = found["unit"]
    found["log"] = capsule_log.ask(incident, incident.server, unit["name"]) if unit else None
    asking = bool(unit) and found["log"]["state"] == capsule_log.ASKING
    _keep(pk, found, timezone.now() if asking else None)
    return True


def _hear(now: datetime) -> int:
    """Keep what agents have answered, or that they did not."""
    rows = _asking().filter(capsule_due__lte=now).values_list("pk", "capsule")
    waiting = [(pk, capsule) for pk, capsule in rows if capsule]
    read = Read.objects.in_bulk([capsule["log"]["read"] for _pk, capsule in waiting])
    heard = 0
    for pk, capsule in waiting:
        told = capsule_log.heard(capsule["log"], read.get(capsule["log"]["read"]))
        if told:
            _keep(pk, {**capsule, "log": told}, None)
            heard += 1
    return heard


def _keep(pk: int, capsule: dict[str, Any], due: datetime | None) -> None:
    Incident.objects.filter(pk=pk, capsule_due__isnull=False).update(capsule=capsule, capsule_due=due)
    live.announce(f"incident:{pk}")
