"""Schedules that the tests start from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from actions.models import AuditEntry
from actions.schedules.models import Schedule
from servers.models import Server
from tests.actions.making import NGINX

NIGHTLY = "30 3 * * *"


def schedule(server: Server, user: User, **columns: Any) -> Schedule:
    """A restart that is due now and every night; columns may say otherwise."""
    now = timezone.now()
    given: dict[str, Any] = {
        "cmd": "restart", "target": NGINX, "reason": "Weekly memory defragmentation", "cron": NIGHTLY, "zone": "UTC",
        "made_by": user, "made_by_name": user.get_username(), "made_at": now, "next_at": now - timedelta(seconds=1),
    }  # fmt: skip
    return Schedule.objects.create(server=server, **{**given, **columns})


def events(one: Schedule) -> list[str]:
    """What is on record of it, oldest first."""
    return list(AuditEntry.objects.filter(schedule=one).order_by("id").values_list("event", flat=True))
