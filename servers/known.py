"""What is known of a server at a moment: its process table, and when the samples beside it were taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from servers import hub_absences, past
from servers.models import HubAbsence
from servers.past import Snapshot


class Then(NamedTuple):
    """What is known of the moment: the process table, and when the samples before and after it were taken."""

    at: datetime
    now: datetime
    table: Snapshot | None
    before: datetime | None
    after: datetime | None
    away: HubAbsence | None  # that the moment fell into

    @property
    def silent(self) -> bool:
        """Whether the moment is one of those, after a last report, in which three were missed."""
        if self.table is None:
            return False
        interval = timedelta(seconds=settings.REPORT_INTERVAL_SEC)
        unheard = (self.after or self.now) - self.table.sampled_at
        return self.at - self.table.sampled_at > interval and unheard > settings.SILENT_AFTER_REPORTS * interval


def known(server_id: int, at: datetime) -> Then:
    """Look the moment up; four queries, which read one chunk at most."""
    now = timezone.now()
    found, away = past.around(server_id, min(at, now)), hub_absences.covering(at)
    if at <= now:
        return Then(at, now, found.table, found.before, found.after, away)
    return Then(at, now, None, found.table.sampled_at if found.table else found.before, None, away)
