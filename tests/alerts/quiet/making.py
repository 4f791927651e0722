"""Silences and windows that the tests start from."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts.models import Silence

BUCHAREST = "Europe/Bucharest"


def silence(**columns: Any) -> Silence:
    """One of everything, since a minute ago and for an hour; columns may say otherwise."""
    now = timezone.now()
    given: dict[str, Any] = {
        "reason": "The switch is being replaced", "starts_at": now - timedelta(minutes=1),
        "ends_at": now + timedelta(hours=1), "made_by_name": "ada", "made_at": now,
    }  # fmt: skip
    return Silence.objects.create(**{**given, **columns})


def window(cron: str, minutes: int, zone: str = BUCHAREST, **columns: Any) -> Silence:
    """Windows of so many minutes, since long ago and without an end, unsaved."""
    began = datetime.fromisoformat("2020-01-01T00:00Z")
    return Silence(cron=cron, duration_sec=minutes * 60, zone=zone, **{"starts_at": began, "ends_at": None, **columns})
