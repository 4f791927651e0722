"""The rules that a new hub begins with. Made once, when there has never been a rule: deleted ones stay away."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from alerts import states
from alerts.models import Rule
from alerts.rules import kinds, wanted
from alerts.rules.wanted import Wanted
from pmonitor import logs

log = logs.get(__name__)
LOCK = 0x52554C45  # of PostgreSQL's advisory locks
MIN, HOUR = 60, 3_600

STARTER = (
    Wanted("Server silent", kinds.SILENT, for_sec=MIN, severity=states.CRITICAL),
    Wanted("Memory high", kinds.READING, {"metric": "mem"}, 90, 85, 10 * MIN, clear_for_sec=2 * MIN),
    Wanted("CPU stuck", kinds.READING, {"metric": "cpu"}, 95, 85, 15 * MIN, clear_for_sec=2 * MIN),
    Wanted("Load high", kinds.READING, {"metric": "load1PerCpu"}, 4, 3, 15 * MIN, clear_for_sec=2 * MIN),
    Wanted("Disk nearly full", kinds.DISK_USED, {}, 90, 88, 10 * MIN),
    Wanted("Disk full within a day", kinds.DISK_FILLING, {}, 24, 36, HOUR, severity=states.CRITICAL),
    Wanted("Service failed", kinds.FAILED, {}, severity=states.CRITICAL),
    Wanted("Service keeps restarting", kinds.RESTARTED, {"withinSec": 10 * MIN}, 3),
    Wanted("Server rebooted", kinds.REBOOTED, {"withinSec": 15 * MIN}),
    Wanted("Clock off", kinds.SKEW, {}, 5, for_sec=5 * MIN),
    Wanted("Agent outdated", kinds.OUTDATED, {}, for_sec=HOUR),
    Wanted("Command failed", kinds.COMMAND_FAILED, {"withinSec": 15 * MIN}),
)


def make_once() -> int:
    """The worker's step: make them where there has never been a rule, and say how many that were.

    Deleted rules stay as rows, which is how it knows. Nobody answers for these: they do nothing but tell.
    """
    if Rule.objects.exists():
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if Rule.objects.exists():  # another worker made them meanwhile
            return 0
        now = timezone.now()
        made = [wanted.columns(wanted.whole(one)) for one in STARTER]
        Rule.objects.bulk_create(Rule(**columns, made_at=now) for columns in made)
    log.info("rules.starter_made", rules=len(STARTER))
    return len(STARTER)
