"""Schedules: commands that are given by themselves, once or again and again. Only moves.py and due.py change one."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from actions.schedules.querysets import ScheduleQuerySet
from servers.models import Server

ON, PAUSED, DONE, DELETED = "on", "paused", "done", "deleted"
RAN, JOINED, MISSED, REFUSED = "ran", "joined", "missed", "refused"  # how a run ended


class Schedule(models.Model):
    """One command on one service, at one moment or at the times of a cron expression in a zone."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # what pages and the API call it
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="schedules")
    cmd = models.CharField(_("verb"), max_length=20)
    target = models.CharField(_("target"), max_length=255)
    args = models.JSONField(default=dict)
    typed = models.CharField(max_length=255, blank=True)  # a protected service's name, as its maker wrote it
    reason = models.CharField(_("reason"), max_length=200)
    deliver_within_sec = models.PositiveIntegerField(default=60)
    execute_within_sec = models.PositiveIntegerField(default=120)
    once_at = models.DateTimeField(null=True)  # this or cron
    cron = models.CharField(max_length=100, blank=True)
    zone = models.CharField(
        _("time zone"), max_length=64
    )  # by whose clock cron is meant; the server's, when it was made
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(_("next run"), null=True)  # None: paused, or there is no next
    # Who last made, changed or resumed it: its commands are given in their name, and need their rights at that moment.
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_by_name = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)  # when its last run was due
    last_outcome = models.CharField(max_length=10, blank=True)
    last_why = models.CharField(max_length=400, blank=True)  # of a refusal
    deleted_at = models.DateTimeField(null=True)  # kept for its commands and its records

    objects: ClassVar = ScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="schedule_due"),  # due.py
            models.Index(fields=["server"], condition=models.Q(deleted_at=None), name="schedule_by_server"),  # the list
        ]

    def __str__(self) -> str:
        return f"{self.cmd} {self.target}"

    @property
    def state(self) -> str:
        """Whether it will run again, and if not, why."""
        if self.deleted_at:
            return DELETED
        if not self.enabled:
            return PAUSED
        return ON if self.next_at else DONE
