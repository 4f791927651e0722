"""When nobody is told: silences, once, and maintenance windows, again and again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from alerts.quiet.querysets import SilenceQuerySet


class Silence(models.Model):
    """From one moment to another, or so long at each time of a cron expression. Only quiet/silences.py changes one."""

    reason = models.CharField(_("reason"), max_length=200)
    scope = models.CharField(_("applies to"), max_length=300, blank=True)  # a line of rules/scopes.py
    rule = models.ForeignKey(
        "alerts.Rule", null=True, blank=True, on_delete=models.CASCADE, related_name="silences"
    )  # None: every rule
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)  # of a window with cron: None, for ever
    cron = models.CharField(max_length=100, blank=True)  # empty: once
    duration_sec = models.PositiveIntegerField(null=True, blank=True)  # of each time of cron
    zone = models.CharField(_("time zone"), max_length=64, default="UTC")  # by whose clock cron is meant
    made_by_name = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # by hand, before its end

    objects: ClassVar = SilenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("silence")
        verbose_name_plural = _("silences")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.reason
