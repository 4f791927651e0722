"""Which incidents nobody is told of now, because a silence or a maintenance window covers them.

Changes `silence` of incidents, and nothing else: when they open, when a silence is made or ends, and in a step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils import timezone

from actions.schedules import times
from alerts import states
from alerts.incidents import locking
from alerts.models import Incident, Silence
from alerts.rules import scopes
from alerts.timeline import note

FOREVER = datetime.max.replace(tzinfo=UTC)
AHEAD, MOST = timedelta(days=366), 9_000  # how far, and over how many windows, an end is looked for


class Row(NamedTuple):
    """As much of an incident as silences look at."""

    number: int
    rule: int
    server: int
    silence: int | None


def in_force(now: datetime) -> list[Silence]:
    """The silences and windows that hold at a moment, the one that ends last first; of windows the open one's end."""
    started = Silence.objects.filter(Q(ended_at=None) | Q(ended_at__gt=now), starts_at__lte=now)
    holding = [one for one in started.filter(Q(ends_at=None) | Q(ends_at__gt=now)) if holds(one, now)]
    return sorted(holding, key=lambda one: (_ends(one, _window_end(one, now)) or FOREVER, one.pk), reverse=True)


def holds(silence: Silence, now: datetime) -> bool:
    """Whether it is in force at a moment."""
    ends = [end for end in (silence.ends_at, silence.ended_at) if end]
    if now < silence.starts_at or any(end <= now for end in ends):
        return False
    return not silence.cron or _window(silence, now) is not None


def until(silence: Silence, now: datetime) -> datetime | None:
    """When one that holds will hold no more, over all windows that leave no gap; None when that has no end."""
    window = _window(silence, now) if silence.cron else None
    return _ends(silence, last_end(silence.cron, silence.zone, _length(silence), window) if window else None)


def last_end(cron: str, zone: str, length: timedelta, began: datetime) -> datetime | None:
    """Where windows first leave a gap after one that began; None when they leave none in a year (or 9,000 of them)."""
    end = began + length
    for window in islice(times.after(cron, zone, began), MOST):
        if window > end:
            return end
        if window > began + AHEAD:
            break
        end = window + length
    return None


def cover(made: Sequence[Incident], now: datetime) -> list[Incident]:
    """Set the silence of incidents that are just opened; returns those that have one."""
    rows = [Row(one.pk, one.rule_id, one.server_id, None) for one in made if one.server_id]
    found = _covering(rows, now)
    for silence, numbers in _by_silence(found).items():
        Incident.objects.filter(pk__in=numbers).update(silence=silence)
    for one in made:
        one.silence_id = found.get(one.pk)
    return [one for one in made if one.silence_id]


def keep() -> int:
    """Worker step: bring every live incident's silence up to date; returns how many changed."""
    with transaction.atomic():
        now = timezone.now()
        rows = _live() if in_force(now) else _live(silence__isnull=False)
        found = _covering(rows, now)
        changed = _settle([row.number for row in rows if row.silence != found.get(row.number)], now)
        settle_wholes(locking.live_wholes())
    return changed


def settle_wholes(wholes: Collection[int]) -> None:
    """A whole is silenced while each of its live members is. The caller holds their locks, or they are new."""
    if not wholes:
        return
    members = Incident.objects.live().filter(whole__in=wholes).order_by().values("whole")
    counted = members.annotate(loud=Count("pk", filter=Q(silence=None)), first=Min("silence"))
    rows = counted.values_list("whole", "loud", "first")
    wanted: dict[int, int | None] = {whole: None if loud else first for whole, loud, first in rows if whole}
    _set({one.pk: one.silence_id for one in Incident.objects.live().filter(pk__in=wanted)}, wanted)


def _settle(numbers: Collection[int], now: datetime) -> int:
    """Look again at these, now under their locks, because somebody else may have settled them meanwhile."""
    if not numbers:
        return 0
    locking.wholes_of(numbers)
    locking.each(numbers)
    rows = _live(pk__in=numbers)
    return _set({row.number: row.silence for row in rows}, _covering(rows, now))


def _set(before: Mapping[int, int | None], wanted: Mapping[int, int | None]) -> int:
    """Write what changes, and tell of what is silenced from now on, or no longer."""
    changed = {number: wanted.get(number) for number, old in before.items() if wanted.get(number) != old}
    for silence, numbers in _by_silence(changed).items():
        Incident.objects.filter(pk__in=numbers).update(silence=silence)
    touched = list(Incident.objects.filter(pk__in=changed).select_related("rule", "server")) if changed else []
    note(states.SILENCED, [one for one in touched if before[one.pk] is None])
    note(states.UNSILENCED, [one for one in touched if one.silence_id is None])
    return len(changed)


def _live(**which: Any) -> list[Row]:
    found = Incident.objects.live().filter(server__isnull=False, **which).order_by("pk")
    return [Row(*row) for row in found.values_list("pk", "rule", "server", "silence")]


def _covering(rows: Sequence[Row], now: datetime) -> dict[int, int]:
    """The silence of each incident that one covers: the one it has for as long as that holds, else the longest."""
    silences = in_force(now) if rows else []
    if not silences:
        return {}
    places = scopes.places_among({row.server for row in rows})
    reach = [(one, set(scopes.of(scopes.read(one.scope), places))) for one in silences]
    found = {}
    for row in rows:
        fitting = [one.pk for one, servers in reach if row.server in servers and one.rule_id in (None, row.rule)]
        if fitting:
            found[row.number] = row.silence if row.silence in fitting else fitting[0]
    return found


def _by_silence(found: Mapping[int, int | None]) -> dict[int | None, list[int]]:
    sorted_out = defaultdict(list)
    for number, silence in found.items():
        sorted_out[silence].append(number)
    return sorted_out


def _window(silence: Silence, now: datetime) -> datetime | None:
    """When the window began that is open at a moment."""
    began = times.following(silence.cron, silence.zone, now - _length(silence))
    return began if began and began <= now else None


def _window_end(silence: Silence, now: datetime) -> datetime | None:
    window = _window(silence, now) if silence.cron else None
    return window + _length(silence) if window else None


def _ends(silence: Silence, windows: datetime | None) -> datetime | None:
    """The first of its ends and its windows'; None when there is none."""
    return min((end for end in (silence.ends_at, silence.ended_at, windows) if end), default=None)


def _length(silence: Silence) -> timedelta:
    """Real time: a window over a change of the clock is as long as any other."""
    return timedelta(seconds=silence.duration_sec or 0)
