"""Queries on schedules; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from servers.models import Server

if TYPE_CHECKING:
    from actions.schedules.models import Schedule  # noqa: F401


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def visible_to(self, user: Any) -> ScheduleQuerySet:
        """The schedules on the servers in the user's scope, deleted ones not."""
        return self.filter(server__in=Server.objects.visible_to(user), deleted_at=None)
