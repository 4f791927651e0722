"""When the hub took no reports: recorded by the first web process that takes them again, once.

Each web process says every few seconds that it is there, in one row, by every clock of its machine: the wall clock,
which people set, the one since boot, which goes on while the machine sleeps, and the one that does not. So a sleep, a
stop and a clock that was set are told apart, and none has a negative length. A worker is no matter here: it takes none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.db import Error, close_old_connections, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from pmonitor import live, logs
from servers.models import HubAbsence, HubBeat, StateChange

log = logs.get(__name__)
BEAT_SEC = 3.0
PAUSE = timedelta(seconds=7)  # from then on servers are not to blame for their silence (presence.py)
AWAY = timedelta(seconds=15)  # a longer pause is an absence; agents wait out a shorter one
DRIFT = timedelta(seconds=2)  # clocks of two machines may differ by so much
LISTENERS: list[Callable[[HubAbsence], None]] = []  # of other apps: told of an absence in its transaction
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STOPPED, ASLEEP, CLOCK_SET, DATABASE_AWAY = HubAbsence.STOPPED, HubAbsence.ASLEEP, HubAbsence.CLOCK, HubAbsence.DATABASE


class Clocks(NamedTuple):
    """One moment by the wall clock, and in seconds since boot: with the time asleep, and awake; of which boot."""

    wall: datetime
    boot_sec: float
    awake_sec: float
    boot_id: str


class Gap(NamedTuple):
    """From when to when by the wall clock the hub was away, and why."""

    start: datetime
    end: datetime
    why: str


def read_clocks() -> Clocks:
    """This moment; where the kernel has no clock that goes on asleep, the wall's must do."""
    which = getattr(time, "CLOCK_BOOTTIME", None)
    boot_sec = time.time() if which is None else time.clock_gettime(which)
    boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return Clocks(timezone.now(), boot_sec, time.monotonic(), boot_id)


def gap(last: Clocks, now: Clocks, own: Clocks | None = None, refused: bool = False) -> Gap | None:
    """Where the hub was away between two beats. Pure.

    last: the newest beat of any process; own: this process's own; refused: the database refused some since.
    """
    before = _newer(last, now, own)
    passed = _passed(before, now)
    if passed > AWAY.total_seconds():
        asleep = passed - (now.awake_sec - before.awake_sec) if before.boot_id == now.boot_id else 0.0
        why = DATABASE_AWAY if refused else ASLEEP if asleep > passed / 2 else STOPPED
    elif (now.wall - before.wall).total_seconds() - passed > AWAY.total_seconds():
        why = CLOCK_SET
    else:
        return None
    return Gap(before.wall, now.wall, why) if before.wall < now.wall else None


def _newer(last: Clocks, now: Clocks, own: Clocks | None) -> Clocks:
    """A process that was there itself a moment ago need not trust another machine's clocks."""
    return own if own and now.boot_sec - own.boot_sec <= AWAY.total_seconds() else last


def _passed(before: Clocks, now: Clocks) -> float:
    """Seconds, whatever was set; of another boot only the wall clock tells."""
    if before.boot_id == now.boot_id:
        return now.boot_sec - before.boot_sec
    return (now.wall - before.wall).total_seconds()


class Heart:
    """One web process's beats."""

    def __init__(self, clocks: Callable[[], Clocks] = read_clocks) -> None:
        self.clocks = clocks
        self.own: Clocks | None = None
        self.refused = False

    def beat(self) -> None:
        """Say that reports are taken; record the absence that this ends. Raises Error while the database is away."""
        try:
            with transaction.atomic():
                now = self._beat(self.clocks())
        except Error:
            self.refused = True
            _renew_connections()
            raise
        self.own, self.refused = now, False

    def _beat(self, asked: Clocks) -> Clocks:
        row = HubBeat.objects.select_for_update().filter(pk=1).first()
        now = self.clocks()  # behind the lock: of two processes the second comes after the first
        if row is None:
            HubBeat.objects.bulk_create([HubBeat(since=now.wall, **_columns(now))], ignore_conflicts=True)
            return now
        last = Clocks(row.at, row.boot_sec, row.awake_sec, row.boot_id)
        if max(last.wall, self.own.wall if self.own else last.wall) - now.wall > DRIFT:
            _set_back(now.wall)
        hung = now.awake_sec - asked.awake_sec > PAUSE.total_seconds()  # it took the beat, and was long silent
        found = gap(last, now, self.own, self.refused or hung)
        paused = _passed(_newer(last, now, self.own), now) > PAUSE.total_seconds()
        since = {"since": now.wall} if found or paused or now.wall < row.since else {}
        HubBeat.objects.filter(pk=1).update(**_columns(now), **since)
        if found:
            _record(found)
        return now


def keep_beating(stop: threading.Event) -> None:
    """Beat until stop is set, and once more then; a web process's thread."""
    heart = Heart()
    while True:
        ending = stop.is_set()
        try:
            close_old_connections()
            heart.beat()
        except Exception:
            log.exception("hub_absences.no_beat")
        if ending:
            return
        stop.wait(BEAT_SEC)


def covering(moment: datetime) -> HubAbsence | None:
    """The absence that a moment fell into."""
    return HubAbsence.objects.filter(start__lte=moment, end__gte=moment).first()


def away_at(moment: datetime, now: datetime) -> bool:
    """Whether the hub was away then; also when it only just came back, and that is not recorded yet."""
    since = HubBeat.objects.filter(at__lt=min(moment, now - AWAY))
    return HubAbsence.objects.filter(start__lte=moment, end__gte=moment).exists() or since.exists()


def _renew_connections() -> None:
    """Those in the pool may have died with the one that failed; each would cost a beat."""
    connection.close()
    pooled: Any = connection
    if pooled.pool:
        pooled.pool.check()


def _columns(now: Clocks) -> dict[str, object]:
    return {
        "at": now.wall,
        "told_at": Now(),
        "boot_sec": now.boot_sec,
        "awake_sec": now.awake_sec,
        "boot_id": now.boot_id,
    }


def _record(found: Gap) -> None:
    """Keep an absence, unless another process saw the same clock set."""
    if HubAbsence.objects.filter(start__lt=found.end, end__gt=found.start).exists():
        return
    absence = HubAbsence.objects.create(**found._asdict())
    log.warning("hub_absences.was_away", why=found.why, seconds=(found.end - found.start).total_seconds())
    for listen in LISTENERS:
        listen(absence)
    live.announce("fleet:all")


def _set_back(now: datetime) -> None:
    """The wall clock was set back: what is recorded of times still to come, did not happen then."""
    HubAbsence.objects.filter(start__gte=now).delete()
    HubAbsence.objects.filter(end__gt=now).update(end=now)
    StateChange.objects.filter(at__gt=now).update(at=now)
